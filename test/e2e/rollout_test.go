//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// twoPolicies proves that two make one request of a pod, and that two which want
// different versions are denied, both named, wherever people look.
func twoPolicies(t *testing.T) {
	s := newSpace(t)
	s.publish(release100(t))
	s.publish(release110(t))
	s.publishAs("quiet", quiet())
	plain := idleKong(t, "plain", nil)
	s.policy("names", `plugins: [{name: dao-test}, {name: quiet}]`) // either version would do
	old := s.policy("old", `plugins: [{name: dao-test, version: 1.0.0}]`)
	s.eventuallyGiven(plain, "bundled,dao-test,quiet")
	s.starts(plain)
	both := under(map[string]files{"dao-test": release100(t), "quiet": quiet()})
	s.wantGiven("deployment/plain", "bundled,dao-test,quiet", both)

	young := s.policy("young", `plugins: [{name: dao-test, version: 1.1.0}]`)
	names := func(where string, ask func() (string, error)) {
		t.Helper()
		eventually(t, func() error {
			told, err := ask()
			for _, want := range []string{
				`plugin "dao-test": policy "` + old.name + `" requires version "1.0.0"`, `policy "` + young.name + `" requires version "1.1.0"`,
			} {
				if !strings.Contains(told, want) {
					return fmt.Errorf("%s: %q is not in %q: %w", where, want, told, err)
				}
			}
			return nil
		})
	}
	pod := manifests(t, podOf(s, "denied", nil))
	names("who makes a pod", func() (string, error) {
		_, err := s.try(pod, "create", "--dry-run=server", "-f", "-")
		if err == nil {
			return "", errors.New("it is admitted")
		}
		return err.Error(), nil
	})
	denied := idleKong(t, "denied", nil)
	s.apply(manifests(t, denied))
	names("the ReplicaSet's condition", func() (string, error) {
		return s.try("", "get", "replicasets", "-l", "app=denied", "-o", `jsonpath={.items[*].status.conditions[?(@.type=="ReplicaFailure")].message}`)
	})
	names("the ReplicaSet's Events", func() (string, error) {
		return s.try("", "get", "events.events.k8s.io", "--field-selector=reason=PluginsDenied,regarding.kind=ReplicaSet", "-o", "jsonpath={.items[*].note}")
	})
	old.shows("Enforce 1 1 1 0 0 1 True", "The policy denied pods of 1 workload in the last hour: ", s.name+"/ReplicaSet/denied-")
	young.shows("Enforce 1 1 0 1 0 1 True", "The policy denied pods of 1 workload in the last hour: ", s.name+"/ReplicaSet/denied-")
	s.wantGiven("deployment/plain", "bundled,dao-test,quiet", both) // who runs is left alone

	old.remove()
	s.eventuallyGiven(denied, "bundled,dao-test,quiet")
	s.restarts("denied") // sooner than the ReplicaSet tries again
	s.wantGiven("deployment/denied", "bundled,dao-test,quiet", under(map[string]files{"dao-test": release110(t), "quiet": quiet()}))
}

// podOf is a pod like those of idleKong, that a person makes.
func podOf(s space, name string, changes map[string]string) *corev1.Pod {
	s.t.Helper()
	template := idleKong(s.t, name, changes).Spec.Template
	made := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	made.APIVersion, made.Kind, made.Name = "v1", "Pod", name
	return made
}

// auditedThenEnforced goes the way of whoever introduces a policy: it is
// audited, which changes nothing and says what would be, then enforced, which
// says what has to be rolled, and all is rolled.
func auditedThenEnforced(t *testing.T) {
	s := newSpace(t)
	s.publish(release110(t))
	before := idleKong(t, "before", nil)
	s.starts(before)
	p := s.policy("rolls", `mode: Audit, plugins: [{name: dao-test}]`)
	pod := manifests(t, podOf(s, "audited", nil))
	eventually(t, func() error {
		_, said, err := kubectlOutput(t.Context(), pod, "--namespace", s.name, "create", "--dry-run=server", "-f", "-")
		if err == nil && !strings.Contains(said, `Warning: audited policy "`+p.name+`" would give this pod the plugin "dao-test"`) {
			err = fmt.Errorf("kubectl says %q", said)
		}
		return err
	})
	s.run(pod, "create", "-f", "-")
	s.run("", "wait", "pod/audited", "--for=condition=Ready", "--timeout="+waitTimeout.String())
	s.wantGiven("pod/audited", "", files{})
	s.wantGiven("deployment/before", "", files{})
	p.shows("Audit 1 2 0 2 0 0 True", "0 of 2 pods in 1 namespace", "Mode Enforce would change 2 pods")

	p.change(`{"mode":"Enforce"}`)
	p.shows("Enforce 1 2 0 2 0 0 True", "Restart these workloads to update 2 pods: ", `"`+s.name+`/Deployment/before"`, `"`+s.name+`/Pod/audited"`)
	s.wantGiven("pod/audited", "", files{})
	s.wantGiven("deployment/before", "", files{})
	s.eventuallyGiven(before, "bundled,dao-test")
	s.run("", "delete", "pod", "audited", "--wait=false")
	s.restarts("before")
	p.shows("Enforce 1 1 1 0 0 0 True")
	s.wantGiven("deployment/before", "bundled,dao-test", daoTest(release110(t)))
}

// labelledLater proves that a namespace which is labelled after its pods run is
// a policy's from then on: its pods are said to lack, and new ones do not.
func labelledLater(t *testing.T) {
	s := newSpace(t)
	s.publish(release110(t))
	p := s.policyFor("later", "e2e-team", s.name, `plugins: [{name: dao-test}]`)
	s.starts(idleKong(t, "before", nil))
	p.shows("Enforce 0 0 0 0 0 0 True")
	s.run("", "label", "namespace", s.name, "e2e-team="+s.name)
	after := idleKong(t, "after", nil)
	s.eventuallyGiven(after, "bundled,dao-test")
	p.shows("Enforce 1 1 0 1 0 0 True", `Restart these workloads to update 1 pod: "`+s.name+`/Deployment/before"`)
	s.starts(after)
	s.wantGiven("deployment/after", "bundled,dao-test", daoTest(release110(t)))
	s.wantGiven("deployment/before", "", files{})
	p.shows("Enforce 1 2 1 1 0 0 True")
}
