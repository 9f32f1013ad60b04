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

// policiesConfiguration is how API servers call kongdao about pods that ask for
// nothing.
const policiesConfiguration = "kongdao-policies"

// soon has copies taken away when nothing has needed them for a moment.
const soon = "--set=policies.copyRetentionSeconds=2"

// TestPolicies proves on real pods that gateways which nobody annotated get what
// policies say, that the API server is bothered for it no longer than there is
// a policy, and that whoever rolls a policy out is told how far it is. Each
// subtest has namespaces and policies of its own.
func TestPolicies(t *testing.T) {
	r := install(t, shortMigrations, soon)
	r.waitReady()
	t.Run("none and one", func(t *testing.T) { noneAndOne(t, r) })
	t.Run("together", func(t *testing.T) {
		for _, test := range []struct { // the longest first
			name string
			run  func(t *testing.T)
		}{
			{"library", library},
			{"audited, then enforced", auditedThenEnforced}, {"labelled later", labelledLater}, {"two", twoPolicies},
			{"whose pods", whosePods}, {"opted out", optedOut},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				test.run(t)
			})
		}
	})
	r.wantPermissionsUsed(forPolicies)
	r.wantNoErrors()
	t.Run("uninstalled", func(t *testing.T) { uninstalledWithPolicy(t, r) })
}

// noneAndOne proves that the API server calls kongdao about pods which ask for
// nothing while a policy gives them something, and at no other time; and that
// an upgrade and a rotation of the CA leave that as it is.
func noneAndOne(t *testing.T, r release) {
	s := newSpace(t)
	s.publish(release110(t))
	calls := func(want int) {
		t.Helper()
		eventually(t, func() error {
			if got := len(configured(t).Webhooks); got != want {
				return fmt.Errorf("%s has %d webhooks, want %d", policiesConfiguration, got, want)
			}
			return nil
		})
	}
	calls(0)
	allows := s.policy("allows", `allowed: [dao-*]`)
	calls(0) // it is settled, and gives nobody anything
	allows.remove()
	gives := s.policy("gives", `plugins: [{name: dao-test}]`)
	calls(1)
	eventually(t, func() error { return s.create(t.Context(), false, true) })

	before := configured(t)
	r.upgrade("--reuse-values")
	if after := configured(t); after.Generation != before.Generation {
		t.Errorf("an upgrade has changed %s to %+v", policiesConfiguration, after.Webhooks)
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
			return errors.New("the CA is the old one alone")
		}
		return errors.Join(r.checkCertificates(), s.create(t.Context(), false, true))
	})

	gives.remove()
	calls(0)
	eventually(t, func() error { return s.create(t.Context(), false, false) })
}

// wantNoErrors checks that what follows policies has met with nothing, in any
// replica, that should not be.
func (r release) wantNoErrors() {
	r.t.Helper()
	ours := regexp.MustCompile(`"level":"error".*"(logger|controller)":"(policies|library|library-cleanup)"`)
	for _, pod := range r.pods() {
		if lines := ours.FindAllString(r.logs(pod), -1); len(lines) > 0 {
			r.t.Errorf("%s has logged %d errors, first %s", pod, len(lines), lines[0])
		}
	}
}

// configured is the configuration for policies.
func configured(t *testing.T) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := admin.Get(t.Context(), client.ObjectKey{Name: policiesConfiguration}, &configuration); err != nil {
		t.Fatal(err)
	}
	return &configuration
}

// uninstalledWithPolicy proves that a policy which is left blocks no pod.
func uninstalledWithPolicy(t *testing.T, r release) {
	s := newSpace(t)
	s.publish(release110(t))
	s.policy("left", `plugins: [{name: dao-test}]`)
	eventually(t, func() error { return s.create(t.Context(), false, true) })
	r.uninstall()
	if err := s.create(t.Context(), false, false); err != nil {
		t.Errorf("a pod of Kong, when all is gone but a policy: %v", err)
	}
}
