//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// answer runs a command of "kubectl kongdao" and checks that it prints the texts. The command may fail only if fails is
// true.
func (s space) answer(fails bool, command string, texts ...string) {
	s.t.Helper()
	arguments := append([]string{"kongdao"}, strings.Fields(command)...)
	if !strings.Contains(command, "uninstall-check") {
		arguments = append(arguments, "--namespace", s.name)
	}
	stdout, stderr, err := kubectlOutput(s.t.Context(), "", arguments...)
	if (err != nil) != fails {
		s.t.Errorf("%s: %v", command, err)
	}
	s.t.Logf("$ kubectl kongdao %s\n%s%s", command, stdout, stderr)
	for _, text := range texts {
		if !strings.Contains(stdout+stderr, text) {
			s.t.Errorf("%s: %q is not in the output", command, text)
		}
	}
}

// testTroubleshooting causes the problems behind the ten questions of docs/troubleshooting.md, and asks the questions.
func testTroubleshooting(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test"})
	g.waitReady()
	s.waitPhase("dao-test@1.0.0", v1alpha1.PhaseFinished, "")
	s.answer(false, "status -o wide", "deployment/kong", "dao-test@1.0.0", "1/1", "Ready", "(Finished)", "sha256:")
	s.answer(false, "plan deployment/kong", "000_base_my_plugin is executed")

	s.publish(release100(t).version("1.2.0").with("001_broken", `return { postgres = { up = [[ CREAT TABLE x (); ]] } }`))
	s.answer(false, "upgrade deployment/kong dao-test@1.2.0 --dry-run", "1.0.0 -> 1.2.0", "001_broken")
	g.requestPlugins("dao-test@1.2.0")
	migration := s.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFailed, "syntax error")
	gated := g.gatedPods()
	if len(gated) != 1 {
		t.Fatalf("pods %q have a gate; want one", gated)
	}
	s.answer(false, "plan deployment/kong", `001_broken runs with "kong migrations up"`, "CREAT TABLE x ();")
	s.answer(false, "explain pod/"+gated[0], "which is Failed", "syntax error", "migration retry "+migration.Name,
		"ungate "+gated[0], `container "proxy" runs Kong`)
	s.answer(false, "status", "Problem", migration.Name+" (Failed)", "syntax error")
	s.answer(false, "logs "+migration.Name, "syntax error")
	s.answer(true, "wait "+migration.Name, "Failed", "syntax error")
	s.answer(true, "uninstall-check", "wait", s.name+"/"+gated[0])
	s.answer(false, "migration hold "+migration.Name, "kongdao starts no Job")
	s.answer(false, "migration retry "+migration.Name, "kongdao continues")
	s.answer(false, "migration retry "+migration.Name, "creates the PluginMigration again")
	s.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFailed, "syntax error")
	s.answer(false, "ungate "+gated[0]+" --yes", "starts without waiting")
	if left := g.gatedPods(); len(left) > 0 {
		t.Errorf("pods %q still have a gate", left)
	}

	g.requestPlugins("dao-tset")
	s.answer(false, "explain deployment/kong", "UnknownPlugin", "dao-tset")
	eventually(t, func() error {
		if out := s.kongdao("", "status", "--namespace", s.name); !strings.Contains(out, "pods cannot be created") {
			return errors.New("status does not show the denial: " + out)
		}
		return nil
	})
	user := "--as=system:serviceaccount:" + s.name + ":default"
	if out, err := s.try("", "auth", "can-i", "delete", "pluginmigrations.kongdao.io", user); err == nil {
		t.Errorf("an account without a role may delete PluginMigrations: %s", out)
	}
	s.run("", "create", "rolebinding", "editor", "--clusterrole=edit", "--serviceaccount="+s.name+":default")
	eventually(t, func() error {
		_, err := s.try("", "auth", "can-i", "delete", "pluginmigrations.kongdao.io", user)
		return err
	})
}
