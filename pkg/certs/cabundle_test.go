package certs

import (
	"crypto/x509"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// newConfiguration returns a configuration with webhooks that have no caBundle yet.
func newConfiguration(name string, webhooks ...string) *admissionregistrationv1.MutatingWebhookConfiguration {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	configuration.Name = name
	for _, webhook := range webhooks {
		configuration.Webhooks = append(configuration.Webhooks, admissionregistrationv1.MutatingWebhook{
			Name: webhook, AdmissionReviewVersions: []string{"v1"},
		})
	}
	return configuration
}

// TestPublishedTimeStartsWhenAllWebhooksHaveTheCA proves that a CA counts as published only while every webhook of
// every configuration trusts it. An optional configuration that is missing or has no webhooks has no effect. Without
// the required configuration, nothing is published.
func TestPublishedTimeStartsWhenAllWebhooksHaveTheCA(t *testing.T) {
	ctx := t.Context()
	cluster := fake.NewClientBuilder().WithScheme(scheme.Scheme).
		WithObjects(newConfiguration("kongdao", "pods", "workloads")).Build()
	publisher := bundlePublisher{
		required: ConfigurationRef{Name: "kongdao"},
		optional: []ConfigurationRef{{Name: "kongdao-policies"}, {Name: "kongdao", Validating: true}},
		reader:   cluster, client: cluster,
	}
	start := time.Now()
	ca, _, err := newCA(time.Hour, start)
	if err != nil {
		t.Fatal(err)
	}
	read := func() webhookConfigurations {
		t.Helper()
		configurations, err := publisher.read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return configurations
	}
	publish := func() {
		t.Helper()
		for _, configuration := range read() {
			if _, err := publisher.publish(ctx, configuration, encodeBundle([]*x509.Certificate{ca})); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantPublishedFor := func(situation string, elapsed, want time.Duration) {
		t.Helper()
		if got := publisher.publishedFor(read(), ca, start.Add(elapsed)); got != want {
			t.Errorf("%s: published for %v, want %v", situation, got, want)
		}
	}
	wantPublishedFor("not published", 0, 0)
	publish()
	wantPublishedFor("just published", time.Minute, 0)
	wantPublishedFor("in all webhooks", 2*time.Minute, time.Minute)

	policies := newConfiguration("kongdao-policies")
	if err := cluster.Create(ctx, policies); err != nil {
		t.Fatal(err)
	}
	wantPublishedFor("new configuration without webhooks", 3*time.Minute, 2*time.Minute)
	policies.Webhooks = newConfiguration("", "policies").Webhooks
	if err := cluster.Update(ctx, policies); err != nil {
		t.Fatal(err)
	}
	wantPublishedFor("new webhook without the CA", 4*time.Minute, 0)
	publish()
	wantPublishedFor("just published again", 5*time.Minute, 0)
	wantPublishedFor("in both configurations", 6*time.Minute, time.Minute)

	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	validating.Name = "kongdao"
	validating.Webhooks = []admissionregistrationv1.ValidatingWebhook{{
		Name: "sources", AdmissionReviewVersions: []string{"v1"},
	}}
	if err := cluster.Create(ctx, validating); err != nil {
		t.Fatal(err)
	}
	wantPublishedFor("new validating webhook without the CA", 7*time.Minute, 0)
	publish()
	wantPublishedFor("published in the validating webhook", 8*time.Minute, 0)
	wantPublishedFor("in all three configurations", 9*time.Minute, time.Minute)

	if err := cluster.Delete(ctx, newConfiguration("kongdao")); err != nil {
		t.Fatal(err)
	}
	if configurations := read(); len(configurations) > 0 {
		t.Errorf("without the required configuration, read returns %v", configurations)
	}
}
