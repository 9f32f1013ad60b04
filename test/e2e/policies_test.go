//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// policiesConfiguration is the MutatingWebhookConfiguration for Kong pods without an annotation.
const policiesConfiguration = "kongdao-policies"

// shortRetention deletes copies soon after nothing needs them.
const shortRetention = "--set=policies.copyRetentionSeconds=2"

// TestPolicies proves with real pods that gateways without an annotation get what policies give, and that statuses show
// the progress of a rollout. It also proves that the API server calls kongdao for these pods only while a policy gives
// plugins. Each subtest has its own namespaces and policies.
func TestPolicies(t *testing.T) {
	r := install(t, shortMigrations, shortRetention)
	r.waitReady()
	t.Run("webhook only with policies", func(t *testing.T) { testWebhookOnlyWithPolicies(t, r) })
	t.Run("parallel", func(t *testing.T) {
		for _, test := range []struct { // the longest first
			name string
			run  func(t *testing.T)
		}{
			{"library", testLibrary},
			{"audit, then enforce", testAuditThenEnforce},
			{"namespace labelled later", testNamespaceLabelledLater},
			{"two policies", testTwoPolicies},
			{"selected pods", testSelectedPods},
			{"opt out", testOptOut},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				test.run(t)
			})
		}
	})
	r.wantPermissionsUsed(forPolicies)
	r.wantNoPolicyErrors()
	t.Run("uninstall with a policy", func(t *testing.T) { testUninstallWithPolicy(t, r) })
}

// testWebhookOnlyWithPolicies checks that the API server calls kongdao for Kong pods without an annotation only while a
// policy gives them plugins. An upgrade and a rotation of the CA do not change that.
func testWebhookOnlyWithPolicies(t *testing.T, r release) {
	s := newSpace(t)
	s.publish(release110(t))
	wantWebhooks(t, 0)
	allows := s.policy("allows", `allowed: [dao-*]`)
	wantWebhooks(t, 0) // the policy gives no plugins
	allows.remove()
	gives := s.policy("gives", `plugins: [{name: dao-test}]`)
	wantWebhooks(t, 1)
	eventually(t, func() error { return s.create(t.Context(), false, true) })

	before := readPoliciesConfiguration(t)
	r.upgrade("--reuse-values")
	if after := readPoliciesConfiguration(t); after.Generation != before.Generation {
		t.Errorf("an upgrade changed %s to %+v", policiesConfiguration, after.Webhooks)
	}
	ca := func() []byte {
		secret, err := r.secret()
		if err != nil {
			t.Fatal(err)
		}
		return secret.Data["ca.crt"]
	}
	old := ca()
	r.rotate("now")
	eventually(t, func() error {
		if bytes.Equal(ca(), old) {
			return errors.New("the bundle holds only the old CA")
		}
		return errors.Join(r.checkCertificates(), s.create(t.Context(), false, true))
	})

	gives.remove()
	wantWebhooks(t, 0)
	eventually(t, func() error { return s.create(t.Context(), false, false) })
}

// wantWebhooks waits until the configuration for policies has a number of webhooks.
func wantWebhooks(t *testing.T, want int) {
	t.Helper()
	eventually(t, func() error {
		if got := len(readPoliciesConfiguration(t).Webhooks); got != want {
			return fmt.Errorf("%s has %d webhooks, want %d", policiesConfiguration, got, want)
		}
		return nil
	})
}

func readPoliciesConfiguration(t *testing.T) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := admin.Get(t.Context(), client.ObjectKey{Name: policiesConfiguration}, &configuration); err != nil {
		t.Fatal(err)
	}
	return &configuration
}

// wantNoPolicyErrors checks that no replica has logged an error about policies or libraries.
func (r release) wantNoPolicyErrors() {
	r.t.Helper()
	policyError := regexp.MustCompile(`"level":"error".*"(logger|controller)":"(policies|library|library-cleanup)"`)
	for _, pod := range r.pods(allPods) {
		if lines := policyError.FindAllString(r.logs(pod), -1); len(lines) > 0 {
			r.t.Errorf("%s logged %d errors, the first is %s", pod, len(lines), lines[0])
		}
	}
}

// testUninstallWithPolicy checks that a policy that stays after kongdao is uninstalled does not block pods.
func testUninstallWithPolicy(t *testing.T, r release) {
	s := newSpace(t)
	s.publish(release110(t))
	s.policy("left", `plugins: [{name: dao-test}]`)
	eventually(t, func() error { return s.create(t.Context(), false, true) })
	r.uninstall()
	if err := s.create(t.Context(), false, false); err != nil {
		t.Errorf("without kongdao, a Kong pod cannot be created: %v", err)
	}
}
