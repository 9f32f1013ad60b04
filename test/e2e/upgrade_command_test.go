//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// testUpgradeCommand moves a gateway that names no version with "kubectl kongdao upgrade". It moves to a release with a
// teardown, then to one whose migration fails, and back.
func testUpgradeCommand(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test"})
	g.waitReady()
	wantReleases := func(version string) {
		t.Helper()
		for _, pod := range g.pods() {
			if pod.DeletionTimestamp == nil && !strings.Contains(pod.Annotations[annotations.InjectionRecord],
				`"version":"`+version+`"`) {
				t.Errorf("pod %s does not have release %s: %s", pod.Name, version, pod.Annotations[annotations.InjectionRecord])
			}
		}
	}
	g.configure()
	s.publish(release110(t))
	s.run("", "delete", "pods", "-l", "app=kong")
	g.waitReady()
	wantReleases("1.0.0")

	move := func(arguments ...string) (string, error) {
		arguments = append([]string{"kongdao"}, append(arguments, "--namespace", s.name)...)
		return kubectl(t.Context(), "", arguments...)
	}
	out, err := move("upgrade", "deployment/kong", "--dry-run")
	if want := "dao-test: 1.0.0 -> 1.1.0, with migrations 001_100_to_110"; err != nil || !strings.Contains(out, want) {
		t.Errorf("the dry run printed %q and failed with %v; want %q", out, err, want)
	}
	flow := g.traffic()
	if out, err = move("upgrade", "deployment/kong"); err != nil {
		t.Fatal(out, err)
	}
	flow.end("an upgrade")
	t.Log(out)
	wantReleases("1.1.0")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
	_, warnings, err := kubectlOutput(t.Context(), "", "delete", "configmaps", "-l", "kongdao.io/plugin-version=1.1.0",
		"--namespace", s.name, "--dry-run=server")
	for _, want := range []string{"new pods of Deployment", "pods run with it and continue: Pod"} {
		if err != nil || !strings.Contains(warnings, want) {
			t.Errorf("a deletion printed %q and failed with %v; want %q", warnings, err, want)
		}
	}

	s.publish(release110(t).version("1.2.0").with("002_broken", `return { postgres = { up = [[ CREAT TABLE x (); ]] } }`))
	out, err = move("upgrade", "deployment/kong", "dao-test@1.2.0")
	if err == nil || !strings.Contains(err.Error(), "syntax error") {
		t.Errorf("the upgrade to a broken release printed %q and failed with %v; want Kong's error", out, err)
	}
	s.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFailed, "syntax error")
	if err := g.insert(t.Context(), "meanwhile"); err != nil {
		t.Errorf("the old pod does not serve: %v", err)
	}
	if out, err = move("rollback", "deployment/kong"); err != nil {
		t.Fatal(out, err)
	}
	g.waitReady()
	wantReleases("1.1.0")

	s.publish(release100(t).version("0.9.0"))
	if out, err = move("prune"); err != nil {
		t.Fatal(out, err)
	}
	for _, want := range []string{
		"delete dao-test@0.9.0: ", "keep dao-test@1.0.0: ReplicaSet ", "keep dao-test@1.1.0: ", "keep dao-test@1.2.0: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("prune printed %q; want %q", out, want)
		}
	}
	if left := s.run("", "get", "configmaps", "-o", "name", "-l", "kongdao.io/plugin-version=0.9.0"); left != "" {
		t.Errorf("prune left %s", left)
	}
}
