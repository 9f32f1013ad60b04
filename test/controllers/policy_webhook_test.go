package controllers

import (
	"context"
	"errors"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
)

// wantPolicyWebhook waits until the webhook for policies is configured, or is not, and returns its configuration.
func wantPolicyWebhook(t *testing.T, want bool) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	cluster.Eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao-policies"}, configuration)
		if err == nil && (len(configuration.Webhooks) > 0) != want {
			err = fmt.Errorf("kongdao-policies has %d webhooks", len(configuration.Webhooks))
		}
		return err
	})
	return configuration
}

// TestWebhookOnlyWithPolicies proves that API servers call the webhook for pods without an annotation only while a
// policy gives plugins, and only for pods that may run Kong. The controller restores a changed webhook. The test is not
// parallel, because other tests have policies.
func TestWebhookOnlyWithPolicies(t *testing.T) {
	ns := shared.CreateNamespace(t)
	wantPolicyWebhook(t, false)
	policy := createPolicy(t, "gives", policySpec{Plugins: plugins(quiet)}, ns)
	wantPolicyWebhook(t, true)
	source(t, ns, quiet, "1.0.0")
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	if err := webhook.Kill(); err != nil {
		t.Fatal(err)
	}
	noKong := kongPod(ns, "plain")
	noKong.Spec.Containers[0].Image = "example.com/kong/web:kong-1"
	if _, err := createDryRun(t.Context(), noKong); err != nil {
		t.Errorf("a pod that does not run Kong waits for the webhook: %v", err)
	}
	wantDenied(t, kongPod(ns, "kong"), "policies.kongdao.io")
	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	configuration := wantPolicyWebhook(t, true)
	change(t, configuration, func(c *admissionregistrationv1.MutatingWebhookConfiguration) {
		c.Webhooks[0].MatchConditions = nil
	})
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao-policies"}, configuration); err != nil {
			return err
		}
		if len(configuration.Webhooks[0].MatchConditions) != 3 {
			return errors.New("the controller has not restored the match conditions")
		}
		return nil
	})
	remove(t, policy)
	wantPolicyWebhook(t, false)
	wantKongPlugins(t, kongPod(ns, "kong"), "")
}
