package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/installation"
)

// serial is the number of the certificate that a webhook serves.
func serial(t *testing.T, of *installation.Webhook) (string, error) {
	t.Helper()
	connection, err := tls.Dial("tcp", of.Address(), tlsConfig(t))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// TestANewCertificateIsServed proves that one which is renewed, in the way of
// the kubelet, is served without a restart and without an admission that fails.
func TestANewCertificateIsServed(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				if i == 0 {
					stopped <- errors.New("nothing was admitted meanwhile")
				}
				close(stopped)
				return
			default:
			}
			if err := webhook.Admin.Create(context.Background(), pod(ns, "kong", "dao-test"), client.DryRunAll); err != nil {
				stopped <- fmt.Errorf("after %d: %w", i, err)
				return
			}
		}
	}()
	pid := webhook.PID()
	for range 3 {
		before, err := serial(t, webhook)
		if err != nil {
			t.Fatal(err)
		}
		if err := webhook.WriteCertificate(plane); err != nil {
			t.Fatal(err)
		}
		eventually(t, func(context.Context) error {
			if now, err := serial(t, webhook); err != nil || now == before {
				return fmt.Errorf("the old certificate %s is still served: %w", before, err)
			}
			return nil
		})
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if webhook.PID() != pid || webhook.Ready(t.Context()) != nil {
		t.Error("the webhook is not the same, or not ready")
	}
}

// TestOldTLSIsDenied proves what --tls-min-version says.
func TestOldTLSIsDenied(t *testing.T) {
	t.Parallel()
	_, kubeconfig, err := plane.User(installation.WebhookUser)
	if err != nil {
		t.Fatal(err)
	}
	newer := second(t, kubeconfig, nil, "--tls-min-version", "1.3")
	if err := newer.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		of      *installation.Webhook
		version uint16
		served  bool
	}{
		{webhook, tls.VersionTLS11, false}, {webhook, tls.VersionTLS12, true}, {webhook, tls.VersionTLS13, true},
		{newer, tls.VersionTLS12, false}, {newer, tls.VersionTLS13, true},
	} {
		config := tlsConfig(t)
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, test.version
		connection, err := tls.Dial("tcp", test.of.Address(), config)
		if (err == nil) != test.served {
			t.Errorf("%s: %v, want it to be served: %v", tls.VersionName(test.version), err, test.served)
		}
		if err == nil {
			_ = connection.Close()
		}
	}
}

// TestOnlyClientsOfTheCA proves what --client-ca says.
func TestOnlyClientsOfTheCA(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	_, kubeconfig, err := plane.User(installation.WebhookUser)
	if err != nil {
		t.Fatal(err)
	}
	guarded := second(t, kubeconfig, nil, "--client-ca", "clients.crt")
	if err := os.WriteFile(filepath.Join(guarded.Dir, "clients.crt"), plane.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := guarded.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger, err := tls.Dial("tcp", guarded.Address(), tlsConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	// The server has its say after the client's part of the handshake.
	if _, err := stranger.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("a client without a certificate: %v, want it to be denied", err)
	}
	apiServer, _, err := plane.User("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	config, err := rest.TLSConfigFor(apiServer)
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := ask(t, guarded, config, pod(ns, "kong", "dao-test"))
	if err != nil || status != http.StatusOK || answer.Response == nil || answer.Response.Patch == nil {
		t.Errorf("a client with a certificate: %d %+v %v", status, answer.Response, err)
	}
	if err := guarded.Ready(t.Context()); err != nil { // a probe is no client
		t.Error(err)
	}
}
