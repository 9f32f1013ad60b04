//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// testTwoPolicies checks that two policies make one request. It also checks that pods are denied if the policies
// require different versions, and that every message about it names both.
func testTwoPolicies(t *testing.T) {
	s := newSpace(t)
	s.publish(release100(t))
	s.publish(release110(t))
	s.publishAs("quiet", quietPlugin())
	plain := idleKong(t, "plain", nil)
	s.policy("anyversion", `plugins: [{name: dao-test}, {name: quiet}]`)
	first := s.policy("first", `plugins: [{name: dao-test, version: 1.0.0}]`)
	s.waitKongPlugins(plain, "bundled,dao-test,quiet")
	s.start(plain)
	both := pluginsFolder(map[string]files{"dao-test": release100(t), "quiet": quietPlugin()})
	s.wantPlugins("deployment/plain", "bundled,dao-test,quiet", both)

	second := s.policy("second", `plugins: [{name: dao-test, version: 1.1.0}]`)
	conflict := []string{
		`plugin "dao-test": policy "` + first.name + `" requires version "1.0.0"`,
		`policy "` + second.name + `" requires version "1.1.0"`,
	}
	wantContains(t, "the denial of a pod", conflict, func() (string, error) {
		_, err := s.try(manifests(t, idlePod(t, "denied")), "create", "--dry-run=server", "-f", "-")
		if err == nil {
			return "", errors.New("the pod is admitted")
		}
		return err.Error(), nil
	})
	denied := idleKong(t, "denied", nil)
	s.apply(manifests(t, denied))
	wantContains(t, "the condition of the ReplicaSet", conflict, func() (string, error) {
		return s.try("", "get", "replicasets", "-l", "app=denied", "-o",
			`jsonpath={.items[*].status.conditions[?(@.type=="ReplicaFailure")].message}`)
	})
	wantContains(t, "the Events of the ReplicaSet", conflict, func() (string, error) {
		return s.try("", "get", "events.events.k8s.io", "-o", "jsonpath={.items[*].note}",
			"--field-selector=reason=PluginsDenied,regarding.kind=ReplicaSet")
	})
	denials := "The policy denied pods of 1 workload in the last hour: "
	first.wantRow("Enforce 1 1 1 0 0 1 True", denials, s.name+"/ReplicaSet/denied-")
	second.wantRow("Enforce 1 1 0 1 0 1 True", denials, s.name+"/ReplicaSet/denied-")
	s.wantPlugins("deployment/plain", "bundled,dao-test,quiet", both) // a running pod does not change

	first.remove()
	s.waitKongPlugins(denied, "bundled,dao-test,quiet")
	s.restart("denied") // sooner than the ReplicaSet tries again
	both = pluginsFolder(map[string]files{"dao-test": release110(t), "quiet": quietPlugin()})
	s.wantPlugins("deployment/denied", "bundled,dao-test,quiet", both)
}

// wantContains waits until a text contains all parts.
func wantContains(t *testing.T, what string, parts []string, read func() (string, error)) {
	t.Helper()
	eventually(t, func() error {
		text, err := read()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return fmt.Errorf("%s does not contain %q: %q: %w", what, part, text, err)
			}
		}
		return nil
	})
}

// testAuditThenEnforce introduces a policy step by step. Mode Audit changes nothing and shows the effect of mode
// Enforce. Mode Enforce shows the workloads to restart. After the restarts, all pods have the plugin.
func testAuditThenEnforce(t *testing.T) {
	s := newSpace(t)
	s.publish(release110(t))
	before := idleKong(t, "before", nil)
	s.start(before)
	p := s.policy("audits", `mode: Audit, plugins: [{name: dao-test}]`)
	pod := manifests(t, idlePod(t, "audited"))
	eventually(t, func() error {
		_, warnings, err := kubectlOutput(t.Context(), pod,
			"--namespace", s.name, "create", "--dry-run=server", "-f", "-")
		want := `Warning: audited policy "` + p.name + `" would give this pod the plugin "dao-test"`
		if err == nil && !strings.Contains(warnings, want) {
			err = fmt.Errorf("the warnings are %q", warnings)
		}
		return err
	})
	s.run(pod, "create", "-f", "-")
	s.run("", "wait", "pod/audited", "--for=condition=Ready", "--timeout="+waitTimeout.String())
	s.wantPlugins("pod/audited", "", files{})
	s.wantPlugins("deployment/before", "", files{})
	p.wantRow("Audit 1 2 0 2 0 0 True", "0 of 2 pods in 1 namespace", "Mode Enforce would change 2 pods")

	p.change(`{"mode":"Enforce"}`)
	p.wantRow("Enforce 1 2 0 2 0 0 True", "Restart these workloads to update 2 pods: ",
		`"`+s.name+`/Deployment/before"`, `"`+s.name+`/Pod/audited"`)
	s.wantPlugins("pod/audited", "", files{})
	s.wantPlugins("deployment/before", "", files{})
	s.waitKongPlugins(before, "bundled,dao-test")
	s.run("", "delete", "pod", "audited", "--wait=false")
	s.restart("before")
	p.wantRow("Enforce 1 1 1 0 0 0 True")
	s.wantPlugins("deployment/before", "bundled,dao-test", onlyDAOTest(release110(t)))
}

// testNamespaceLabelledLater checks that a policy applies to a namespace as soon as it has the label: its running pods
// are outdated, and new pods get the plugin.
func testNamespaceLabelledLater(t *testing.T) {
	s := newSpace(t)
	s.publish(release110(t))
	p := s.policyFor("later", "e2e-team", s.name, `plugins: [{name: dao-test}]`)
	s.start(idleKong(t, "before", nil))
	p.wantRow("Enforce 0 0 0 0 0 0 True")
	s.run("", "label", "namespace", s.name, "e2e-team="+s.name)
	after := idleKong(t, "after", nil)
	s.waitKongPlugins(after, "bundled,dao-test")
	p.wantRow("Enforce 1 1 0 1 0 0 True", `Restart these workloads to update 1 pod: "`+s.name+`/Deployment/before"`)
	s.start(after)
	s.wantPlugins("deployment/after", "bundled,dao-test", onlyDAOTest(release110(t)))
	s.wantPlugins("deployment/before", "", files{})
	p.wantRow("Enforce 1 2 1 1 0 0 True")
}
