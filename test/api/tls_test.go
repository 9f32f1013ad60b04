package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// serialNumber returns the serial number of the certificate that a webhook serves.
func serialNumber(of *installation.Webhook, config *tls.Config) (string, error) {
	connection, err := tls.Dial("tcp", of.Address(), config)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// TestRenewedCertificateFilesAreServed proves that the webhook serves a renewed certificate without a restart, and that
// no admission fails. The files are replaced as the kubelet does it.
func TestRenewedCertificateFilesAreServed(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	stopLoad := startLoad(t, func(ctx context.Context) error {
		return webhook.Admin.Create(ctx, pod(ns, "kong", "dao-test"), client.DryRunAll)
	})
	config := tlsConfig(t)
	pid := webhook.PID()
	for range 3 {
		before, err := serialNumber(webhook, config)
		if err != nil {
			t.Fatal(err)
		}
		if err := webhook.WriteCertificate(plane); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, func(context.Context) error {
			now, err := serialNumber(webhook, config)
			if err == nil && now == before {
				err = fmt.Errorf("the webhook still serves the old certificate %s", before)
			}
			return err
		})
	}
	stopLoad()
	if webhook.PID() != pid {
		t.Error("the webhook has restarted")
	}
	if err := webhook.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMinimumTLSVersion proves that the server rejects versions below --tls-min-version, by default 1.2.
func TestMinimumTLSVersion(t *testing.T) {
	t.Parallel()
	kubeconfig := webhookKubeconfig(t)
	strict := secondWebhook(t, kubeconfig, nil, "--tls-min-version", "1.3")
	if err := strict.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		webhook  *installation.Webhook
		version  uint16
		accepted bool
	}{
		{webhook, tls.VersionTLS11, false}, {webhook, tls.VersionTLS12, true}, {webhook, tls.VersionTLS13, true},
		{strict, tls.VersionTLS12, false}, {strict, tls.VersionTLS13, true},
	} {
		config := tlsConfig(t)
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, test.version
		connection, err := tls.Dial("tcp", test.webhook.Address(), config)
		if (err == nil) != test.accepted {
			t.Errorf("%s: error %v, want accepted %t", tls.VersionName(test.version), err, test.accepted)
		}
		if err == nil {
			_ = connection.Close()
		}
	}
}

// TestClientCA proves that --client-ca requires a certificate of this CA for reviews, but not for probes.
func TestClientCA(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	kubeconfig := webhookKubeconfig(t)
	protected := secondWebhook(t, kubeconfig, nil, "--client-ca", "clients.crt")
	if err := os.WriteFile(filepath.Join(protected.Dir, "clients.crt"), plane.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := protected.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	anonymous, err := tls.Dial("tcp", protected.Address(), tlsConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	defer anonymous.Close()
	// In TLS 1.3 the client's handshake is complete before the server checks the certificate.
	_, err = anonymous.Read(make([]byte, 1))
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("client without a certificate: error %v, want \"certificate required\"", err)
	}
	apiServer, _, err := plane.User("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	config, err := rest.TLSConfigFor(apiServer)
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := postReview(t, protected, config, pod(ns, "kong", "dao-test"))
	if err != nil || status != http.StatusOK || answer.Response == nil || answer.Response.Patch == nil {
		t.Errorf("client with a certificate: status %d, response %+v, error %v", status, answer.Response, err)
	}
	if err := protected.Ready(t.Context()); err != nil {
		t.Errorf("probe without a certificate: %v", err)
	}
}
