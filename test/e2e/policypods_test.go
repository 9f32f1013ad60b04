//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
)

// testSelectedPods checks which pods get the plugins of a policy: the Kong pods that its selectors match, with and
// without an annotation, and no others. Running pods keep the plugins after the policy is deleted.
func testSelectedPods(t *testing.T) {
	s, other := newSpace(t), newSpace(t)
	for _, one := range []space{s, other} {
		one.publish(release110(t))
		one.publishAs("quiet", quietPlugin())
	}
	edge, inner := map[string]string{"tier": "edge"}, map[string]string{"tier": "inner"}
	edgeRequesting := map[string]string{"tier": "edge", annotations.Plugins: "quiet"}
	innerRequesting := map[string]string{"tier": "inner", annotations.Plugins: "quiet"}
	plain := idleKong(t, "plain", edge)
	noKong := idleKong(t, "no-kong", edge)
	noKong.Spec.Template.Spec.Containers[0].Image = postgresImage
	p := s.policy("gives", `plugins: [{name: dao-test}], podSelector: {matchLabels: {tier: edge}}`)
	s.waitKongPlugins(plain, "bundled,dao-test")
	s.start(plain, noKong, idleKong(t, "requesting", edgeRequesting),
		idleKong(t, "inner", inner), idleKong(t, "inner-requesting", innerRequesting))
	other.start(plain)

	onlyQuiet, daoTest := pluginsFolder(map[string]files{"quiet": quietPlugin()}), onlyDAOTest(release110(t))
	both := pluginsFolder(map[string]files{"dao-test": release110(t), "quiet": quietPlugin()})
	s.wantPlugins("deployment/plain", "bundled,dao-test", daoTest)
	s.wantPlugins("deployment/requesting", "bundled,quiet,dao-test", both)
	s.wantPlugins("deployment/no-kong", "", files{})
	s.wantPlugins("deployment/inner", "", files{})
	s.wantPlugins("deployment/inner-requesting", "bundled,quiet", onlyQuiet)
	other.wantPlugins("deployment/plain", "", files{})
	p.wantRow("Enforce 1 2 2 0 0 0 True", "2 of 2 pods in 1 namespace")

	p.remove()
	s.waitKongPlugins(plain, "")
	s.start(idleKong(t, "after", edge))
	s.wantPlugins("deployment/after", "", files{})
	s.wantPlugins("deployment/plain", "bundled,dao-test", daoTest)
	s.wantPlugins("deployment/requesting", "bundled,quiet,dao-test", both)
}

// testOptOut checks that a pod can opt out of the policies that permit it, and of no others.
func testOptOut(t *testing.T) {
	s := newSpace(t)
	s.publish(release110(t))
	s.publishAs("quiet", quietPlugin())
	permits := s.policy("permits", `plugins: [{name: quiet}]`)
	insists := s.policy("insists", `plugins: [{name: dao-test}], optOut: false`)
	plain := idleKong(t, "plain", nil)
	optingOut := idleKong(t, "opting-out", map[string]string{annotations.Inject: "false"})
	s.waitKongPlugins(plain, "bundled,dao-test,quiet")
	s.start(plain)
	_, warnings, err := kubectlOutput(t.Context(), manifests(t, optingOut), "--namespace", s.name, "apply", "-f", "-")
	if err != nil || !strings.Contains(warnings, `policy "`+insists.name+`", which does not permit opting out`) {
		t.Errorf("the warnings are %q: %v", warnings, err)
	}
	s.waitRollout("opting-out")
	both := pluginsFolder(map[string]files{"dao-test": release110(t), "quiet": quietPlugin()})
	s.wantPlugins("deployment/plain", "bundled,dao-test,quiet", both)
	s.wantPlugins("deployment/opting-out", "bundled,dao-test", onlyDAOTest(release110(t)))
	permits.wantRow("Enforce 1 2 1 0 1 0 True")
	insists.wantRow("Enforce 1 2 2 0 0 0 True")
}
