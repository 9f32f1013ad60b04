package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/installation"
)

// certificateRights are what --cert-provider self needs besides the rights to
// plugins. The chart's are held to names; these are for many installations.
func certificateRights(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	rules, err := installation.WebhookRules()
	if err != nil {
		t.Fatal(err)
	}
	return append(rules,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create", "get", "list", "update", "watch"}},
		rbacv1.PolicyRule{APIGroups: []string{admissionregistrationv1.GroupName}, Resources: []string{"mutatingwebhookconfigurations"}, Verbs: []string{"get", "list", "patch", "watch"}})
}

// own is an installation that makes its certificate itself: replicas that share
// a Secret, and a configuration that calls the first of them.
type own struct {
	t         *testing.T
	namespace string
	secret    client.ObjectKey
	// configuration is the name of the MutatingWebhookConfiguration.
	configuration string
	replicas      []*installation.Webhook
}

// startOwn starts replicas at once, with further flags. None is ready yet.
func startOwn(t *testing.T, replicas int, flags ...string) *own {
	t.Helper()
	return startOwnWith(t, certificateRights(t), replicas, append([]string{"--cert-provider", "self"}, flags...)...)
}

func startOwnWith(t *testing.T, rights []rbacv1.PolicyRule, replicas int, flags ...string) *own {
	t.Helper()
	o := &own{t: t, namespace: namespace(t), configuration: unique("own")}
	o.secret = client.ObjectKey{Namespace: o.namespace, Name: "certificate"}
	kubeconfig, err := installation.CreateUser(t.Context(), plane, o.configuration, rights)
	if err != nil {
		t.Fatal(err)
	}
	flags = append(flags, "--namespace", o.namespace, "--cert-secret", o.secret.Name,
		"--cert-names", "localhost", "--webhook-configuration", o.configuration)
	for range replicas {
		o.replicas = append(o.replicas, second(t, kubeconfig, nil, flags...))
	}
	for _, replica := range o.replicas {
		if err := replica.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// register makes the configuration, as an installation brings it: without a
// caBundle. Each of its webhooks is the first replica.
func (o *own) register() {
	o.t.Helper()
	_, port, _ := strings.Cut(o.replicas[0].Address(), ":")
	register(o.t, o.configuration, o.namespace, "https://localhost:"+port+"/mutate/pods", nil)
}

func (o *own) ready() {
	o.t.Helper()
	for _, replica := range o.replicas {
		eventually(o.t, replica.Ready)
	}
}

func (o *own) readSecret(ctx context.Context) (*corev1.Secret, error) {
	var secret corev1.Secret
	return &secret, webhook.Admin.Get(ctx, o.secret, &secret)
}

// bundle is the CAs by which the API server knows the webhook.
func (o *own) bundle(ctx context.Context) ([]byte, error) {
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: o.configuration}, &configuration); err != nil {
		return nil, err
	}
	return configuration.Webhooks[0].ClientConfig.CABundle, nil
}

// trusted says which replica an API server would deny that has the bundle.
func (o *own) trusted(ctx context.Context) error {
	_, err := o.serials(ctx)
	return err
}

// serials are the numbers of the certificates that the replicas serve, asked as
// an API server does that has the bundle.
func (o *own) serials(ctx context.Context) ([]string, error) {
	bundle, err := o.bundle(ctx)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("the caBundle holds no CA: %q", bundle)
	}
	serials := make([]string, len(o.replicas))
	for i, replica := range o.replicas {
		connection, err := tls.Dial("tcp", replica.Address(), &tls.Config{RootCAs: roots, ServerName: "kongdao-webhook." + o.namespace + ".svc"})
		if err != nil {
			return nil, fmt.Errorf("replica %d: %w", i, err)
		}
		serials[i] = connection.ConnectionState().PeerCertificates[0].SerialNumber.String()
		_ = connection.Close()
	}
	return serials, nil
}

// admits asks for a pod, in a dry run, that the webhooks inject.
func (o *own) admits(ctx context.Context) error {
	return webhook.Admin.Create(ctx, pod(o.namespace, "kong", "dao-test"), client.DryRunAll)
}

// TestReplicasMakeOneCA proves that several which start at once, before there is
// a configuration to call them, come to one CA, and are ready when the API
// server can call them.
func TestReplicasMakeOneCA(t *testing.T) {
	t.Parallel()
	o := startOwn(t, 3)
	daoTest(t, o.namespace)
	for _, replica := range o.replicas {
		eventually(t, func(ctx context.Context) error {
			err := replica.Ready(ctx)
			if err == nil {
				t.Fatal("ready, and no API server knows its CA")
			}
			if !strings.Contains(err.Error(), fmt.Sprintf("certificate: not ready: MutatingWebhookConfiguration %q does not exist", o.configuration)) {
				return err
			}
			return nil
		})
	}
	began := time.Now()
	o.register()
	o.ready()
	t.Logf("three replicas ready %v after the configuration came", time.Since(began).Round(time.Millisecond))
	secret, err := o.readSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := o.bundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if count := bytes.Count(bundle, []byte("BEGIN CERTIFICATE")); count != 1 || !bytes.Equal(bundle, secret.Data["ca.crt"]) {
		t.Errorf("the bundle has %d CAs, and is the Secret's: %v", count, bytes.Equal(bundle, secret.Data["ca.crt"]))
	}
	if err := errors.Join(o.trusted(t.Context()), o.admits(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestItHeals proves that what somebody breaks is mended, with the CA that
// everybody knows.
func TestItHeals(t *testing.T) {
	t.Parallel()
	o := startOwn(t, 2)
	daoTest(t, o.namespace)
	o.register()
	o.ready()
	before, err := o.bundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	patch := func(object client.Object, name client.ObjectKey, text string) {
		t.Helper()
		object.SetName(name.Name)
		object.SetNamespace(name.Namespace)
		if err := webhook.Admin.Patch(t.Context(), object, client.RawPatch(types.JSONPatchType, []byte(text))); err != nil {
			t.Fatal(err)
		}
	}
	for what, spoil := range map[string]func(){
		"the Secret is deleted": func() {
			if err := webhook.Admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.secret.Namespace, Name: o.secret.Name}}); err != nil {
				t.Fatal(err)
			}
		},
		"the Secret is emptied": func() {
			patch(&corev1.Secret{}, o.secret, `[{"op":"replace","path":"/data/tls.crt","value":""},{"op":"replace","path":"/data/ca.key","value":"aGVsbG8="}]`)
		},
		"the caBundle is emptied": func() {
			patch(&admissionregistrationv1.MutatingWebhookConfiguration{}, client.ObjectKey{Name: o.configuration}, `[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`)
		},
		"the caBundle is another's": func() {
			patch(&admissionregistrationv1.MutatingWebhookConfiguration{}, client.ObjectKey{Name: o.configuration}, `[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":"`+base64.StdEncoding.EncodeToString(plane.CA())+`"}]`)
		},
	} {
		began := time.Now()
		spoil()
		eventually(t, func(ctx context.Context) error {
			secret, err := o.readSecret(ctx)
			if err != nil {
				return err
			}
			if !bytes.Equal(secret.Data["ca.crt"], before) || len(secret.Data["tls.crt"]) == 0 || len(secret.Data["ca.key"]) < 10 {
				return fmt.Errorf("the Secret holds %d bytes of CA", len(secret.Data["ca.crt"]))
			}
			return o.trusted(ctx)
		})
		t.Logf("%s: healed in %v", what, time.Since(began).Round(time.Millisecond))
	}
	if now, err := o.bundle(t.Context()); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the bundle is another now: %v", err)
	}
	eventually(t, o.admits)
}

// TestRotationUnderLoad proves that no admission fails while CA and certificate
// are rotated, because somebody asks for it and because their time comes.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	o := startOwn(t, 2, "--ca-lifetime", "225s", "--cert-lifetime", "75s")
	daoTest(t, o.namespace)
	o.register()
	o.ready()
	eventually(t, o.admits)
	failed, stop := o.load()
	for round := range 2 {
		before, err := o.readSecret(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked := before.DeepCopy()
		asked.Annotations = map[string]string{annotations.Rotate: strconv.Itoa(round)}
		if err := webhook.Admin.Patch(t.Context(), asked, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		eventually(t, func(ctx context.Context) error { return rotated(ctx, o, before) })
		t.Logf("rotated in %v", time.Since(began).Round(time.Millisecond))
	}
	// The next comes by itself, when a third of 75 s is left.
	before, err := o.readSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		now, err := o.readSecret(ctx)
		if err == nil && bytes.Equal(now.Data["tls.crt"], before.Data["tls.crt"]) {
			err = errors.New("the certificate is not renewed yet")
		}
		return err
	})
	stop()
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// rotated says what is left of a rotation: one CA, another one, and what it signed.
func rotated(ctx context.Context, o *own, before *corev1.Secret) error {
	now, err := o.readSecret(ctx)
	if err != nil {
		return err
	}
	bundle := now.Data["ca.crt"]
	switch {
	case now.Annotations[annotations.Rotate] != "":
		return errors.New("the annotation is still there")
	case bytes.Count(bundle, []byte("BEGIN CERTIFICATE")) != 1:
		return errors.New("two CAs are trusted")
	case bytes.Equal(bundle, before.Data["ca.crt"]), bytes.Equal(now.Data["tls.crt"], before.Data["tls.crt"]):
		return errors.New("nothing new yet")
	}
	return nil
}
