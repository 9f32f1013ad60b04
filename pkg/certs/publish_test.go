package certs

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// configurationOf calls webhooks of these names, as an installation brings them.
func configurationOf(name string, webhooks ...string) *admissionregistrationv1.MutatingWebhookConfiguration {
	made := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, webhook := range webhooks {
		made.Webhooks = append(made.Webhooks, admissionregistrationv1.MutatingWebhook{Name: webhook, AdmissionReviewVersions: []string{"v1"}})
	}
	return made
}

// TestSeveralConfigurations proves that a CA counts as published only while every
// webhook of every configuration trusts it, of those too that come later; that one
// without webhooks, or that is not there, is not waited for; and that without the
// installation's own nothing is published.
func TestSeveralConfigurations(t *testing.T) {
	ctx := t.Context()
	cluster := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(configurationOf("kongdao", "pods", "workloads")).Build()
	publisher := publisher{names: []string{"kongdao", "kongdao-policies"}, live: cluster, client: cluster}
	began := time.Now()
	ca, _, err := newAuthority(time.Hour, began)
	if err != nil {
		t.Fatal(err)
	}
	published := func(after time.Duration) time.Duration {
		t.Helper()
		found, err := publisher.read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return publisher.publishedFor(found, ca, began.Add(after))
	}
	publish := func() {
		t.Helper()
		found, err := publisher.read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range found {
			if _, err := publisher.publish(ctx, one, encodeBundle([]*x509.Certificate{ca})); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(when string, after, want time.Duration) {
		t.Helper()
		if got := published(after); got != want {
			t.Errorf("%s: published for %v, want %v", when, got, want)
		}
	}
	want("before", 0, 0)
	publish()
	want("just now", time.Minute, 0)
	want("in all that there are", 2*time.Minute, time.Minute)

	policies := configurationOf("kongdao-policies")
	create(ctx, t, cluster, policies)
	want("one without webhooks", 3*time.Minute, 2*time.Minute)
	policies.Webhooks = configurationOf("", "policies").Webhooks
	if err := cluster.Update(ctx, policies); err != nil {
		t.Fatal(err)
	}
	want("a webhook that does not trust it yet", 4*time.Minute, 0)
	publish()
	want("anew", 5*time.Minute, 0)
	want("in both", 6*time.Minute, time.Minute)

	if err := cluster.Delete(ctx, configurationOf("kongdao")); err != nil {
		t.Fatal(err)
	}
	if found, err := publisher.read(ctx); err != nil || len(found) > 0 {
		t.Errorf("without the installation's own there are %v: %v", found, err)
	}
}

func create(ctx context.Context, t *testing.T, cluster client.Client, object client.Object) {
	t.Helper()
	if err := cluster.Create(ctx, object); err != nil {
		t.Fatal(err)
	}
}
