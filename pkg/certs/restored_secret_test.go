package certs

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kongdao.io/kongdao/pkg/annotations"
)

// secretCluster is a cluster with one webhook configuration and the Secret. Several replicas can use it.
type secretCluster struct {
	t      *testing.T
	client client.Client
	now    time.Time
	// failApply makes every write of a bundle fail.
	failApply bool
}

func newSecretCluster(t *testing.T) *secretCluster {
	t.Helper()
	c := &secretCluster{t: t, now: time.Now().Truncate(time.Second)}
	c.client = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(newConfiguration("kongdao", "pods")).
		WithInterceptorFuncs(interceptor.Funcs{Apply: func(
			ctx context.Context, to client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption,
		) error {
			if c.failApply {
				return errors.New("the write of the bundle fails")
			}
			return to.Apply(ctx, object, options...)
		}}).Build()
	return c
}

// start returns the provider of a replica that starts now.
func (c *secretCluster) start() *selfSignedProvider {
	c.t.Helper()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		c.t.Fatal(err)
	}
	provider := &selfSignedProvider{secretProvider: newSecretProvider(Config{
		Settings: testSettings(), Secret: secretKey(), WebhookConfiguration: ConfigurationRef{Name: "kongdao"},
		Now: func() time.Time { return c.now }, Log: logr.Discard(), Metrics: metrics,
	})}
	provider.client, provider.apiReader = c.client, c.client
	provider.bundles = bundlePublisher{required: ConfigurationRef{Name: "kongdao"}, reader: c.client, client: c.client}
	return provider
}

func secretKey() client.ObjectKey {
	return client.ObjectKey{Namespace: "kongdao-system", Name: "kongdao-webhook-certificate"}
}

// reconcile reconciles a replica once. It returns whether this succeeded.
func (c *secretCluster) reconcile(replica *selfSignedProvider) bool {
	_, err := replica.reconcile(c.t.Context(), replica.sync)
	return err == nil
}

func (c *secretCluster) readSecret() *corev1.Secret {
	c.t.Helper()
	secret := &corev1.Secret{}
	if err := c.client.Get(c.t.Context(), secretKey(), secret); err != nil {
		c.t.Fatal(err)
	}
	return secret
}

// restore replaces the data of the Secret, as the restore of a backup does.
func (c *secretCluster) restore(data map[string][]byte) {
	c.t.Helper()
	secret := c.readSecret()
	secret.Data = data
	if err := c.client.Update(c.t.Context(), secret); err != nil {
		c.t.Fatal(err)
	}
}

// wantTrusted fails the test if a replica serves a certificate that the bundle does not trust.
func (c *secretCluster) wantTrusted(situation string, replicas ...*selfSignedProvider) {
	c.t.Helper()
	configurations, err := replicas[0].bundles.read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	bundle, err := parseBundle(configurations.webhooks()[0].caBundle)
	if err != nil {
		c.t.Fatal(err)
	}
	for i, replica := range replicas {
		if serving := replica.serving(); serving != nil {
			if err := verify(serving, bundle, testDNSName, c.now); err != nil {
				c.t.Errorf("%s: replica %d serves a certificate that the bundle does not trust: %v", situation, i, err)
			}
		}
	}
}

// rotated returns a cluster in which a replica has replaced its CA, and the data of the Secret before that.
func rotated(t *testing.T) (*secretCluster, *selfSignedProvider, map[string][]byte) {
	t.Helper()
	c := newSecretCluster(t)
	replica := c.start()
	c.reconcile(replica)
	backup := c.readSecret().Data
	secret := c.readSecret()
	secret.Annotations = map[string]string{annotations.Rotate: "now"}
	if err := c.client.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Minute)
	for range 200 { // longer than the propagation and the overlap
		c.reconcile(replica)
		c.wantTrusted("rotation", replica)
		c.now = c.now.Add(time.Minute)
	}
	before := keyPairsOf(t, backup)
	if slices.ContainsFunc(replica.lastKnown.trustedCAs, before.signingCA().Equal) {
		t.Fatal("the first CA is still trusted after the rotation")
	}
	return c, replica, backup
}

func keyPairsOf(t *testing.T, data map[string][]byte) keyPairs {
	t.Helper()
	pairs, problems := parseSecret(data)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return pairs
}

// TestOlderSecretIsNotServed proves that a replica does not serve the certificate of a restored, older Secret, because
// API servers do not trust its CA. The replica writes the newer contents back.
func TestOlderSecretIsNotServed(t *testing.T) {
	c, replica, backup := rotated(t)
	newer := replica.serving()
	c.restore(backup)
	for _, fails := range []bool{true, false, false} {
		c.failApply = fails
		c.reconcile(replica)
		c.wantTrusted("after the restore", replica)
	}
	if !sameCertificate(replica.serving(), newer) {
		t.Error("the replica serves another certificate than before the restore")
	}
	if got := keyPairsOf(t, c.readSecret().Data); !got.signingCA().Equal(replica.lastKnown.signingCA()) {
		t.Error("the Secret still has the older CA")
	}
}

// TestOlderSecretAtTheStart proves that a replica that starts with a restored, older Secret publishes its CA before it
// serves the certificate. The bundle keeps the CA that another replica may still use.
func TestOlderSecretAtTheStart(t *testing.T) {
	c, running, backup := rotated(t)
	c.restore(backup)
	starting := c.start()
	c.failApply = true
	if c.reconcile(starting) {
		t.Error("the replica reports no error, but its CA is not published")
	}
	c.wantTrusted("the CA is not published", starting, running)
	c.failApply = false
	c.reconcile(starting)
	c.wantTrusted("the CA is published", starting, running)
	if starting.serving() == nil || starting.Ready() != nil {
		t.Errorf("the replica does not serve: %v", starting.Ready())
	}
	for range 200 {
		c.now = c.now.Add(time.Minute)
		c.reconcile(starting)
		c.wantTrusted("later", starting)
	}
	configurations, err := starting.bundles.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if bundle, _ := parseBundle(configurations.webhooks()[0].caBundle); len(bundle) != 1 {
		t.Errorf("the bundle has %d CAs long after the restore, want 1", len(bundle))
	}
}
