//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// testAutomaticRollouts publishes releases for a gateway under load that asks for automatic rollouts: one with a
// teardown, a broken one, and another one with a teardown. Each causes one rollout, and no request is lost. The broken
// one is reported, and is not tried again after a person has rolled back.
func testAutomaticRollouts(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test", annotations: ", kongdao.io/rollout: auto"})
	g.waitReady()
	g.configure()
	flow := g.traffic()

	s.publish(release110(t))
	g.waitMoved("dao-test@1.1.0")
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")

	s.publish(release110(t).version("1.2.0").with("002_broken", `return { postgres = { up = [[ CREAT TABLE x (); ]] } }`))
	s.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFailed, "syntax error")
	s.waitEvent("RolloutFailed", "syntax error")
	s.run("", "rollout", "undo", "deployment/kong")
	g.waitMoved("dao-test@1.1.0")

	s.publish(release120(t).version("1.3.0"))
	g.waitMoved("dao-test@1.3.0")
	s.waitPhase("dao-test@1.3.0", v1alpha1.PhaseFinished, "")
	flow.end("three automatic rollouts")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110,002_110_to_120", "")
	// A rollback uses the ReplicaSet of its release again.
	if sets := strings.Fields(s.run("", "get", "replicasets", "-o", "name", "-l", "app=kong")); len(sets) != 4 {
		t.Errorf("there are %d ReplicaSets, want one for each of four releases: %q", len(sets), sets)
	}
	for _, change := range []string{"dao-test: 1.0.0 -> 1.1.0, with migrations 001_100_to_110", "dao-test: 1.1.0 -> 1.2.0",
		"dao-test: 1.1.0 -> 1.3.0, with migrations 002_110_to_120"} {
		s.waitEvent("RolloutStarted", change)
	}
	s.waitEvent("RolloutComplete", "dao-test: 1.1.0 -> 1.3.0")
}

// waitMoved waits until the template names releases and the rollout is complete.
func (g gateway) waitMoved(releases string) {
	g.t.Helper()
	g.waitPins("deployment/"+g.name, releases)
	g.waitReady()
}

// waitPins waits until the pod template of a workload names releases.
func (s space) waitPins(workload, releases string) {
	s.t.Helper()
	eventually(s.t, func() error {
		got := s.run("", "get", workload, "-o",
			`jsonpath={.spec.template.metadata.annotations.kongdao\.io/releases}`)
		if got != releases {
			return fmt.Errorf("the template of %s names %q, want %q", workload, got, releases)
		}
		return nil
	})
}

// waitEvent waits for an Event with a reason and a text in its message.
func (s space) waitEvent(reason, text string) {
	s.t.Helper()
	eventually(s.t, func() error {
		notes := s.run("", "get", "events", "--field-selector", "reason="+reason, "-o", `jsonpath={.items[*].message}`)
		if !strings.Contains(notes, text) {
			return fmt.Errorf("the Events %s are %q, want %q", reason, notes, text)
		}
		return nil
	})
}

// idleWorkload is the manifest of a StatefulSet or DaemonSet with an idle Kong.
const idleWorkload = `
apiVersion: apps/v1
kind: %[1]s
metadata: {name: %[2]s, annotations: {%[3]s}}
spec:
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: proxy
          image: %[4]s
          imagePullPolicy: IfNotPresent
          command: [/bin/sh, -c, "trap 'exit 0' TERM; sleep infinity & wait"]
          env: [{name: KONG_DATABASE, value: "off"}]
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// testRolloutsOfOtherKinds moves a DaemonSet whose annotation asks for automatic rollouts, and a StatefulSet that has
// no annotation, because a policy asks for them. A manifest that is applied again does not undo a move.
func testRolloutsOfOtherKinds(t *testing.T) {
	s := newSpace(t)
	s.publishAs("quiet", quietPlugin())
	p := s.policy("auto", `plugins: [{name: quiet}], podSelector: {matchLabels: {app: sts}}, rollout: Auto`)
	daemonSet := fmt.Sprintf(idleWorkload, "DaemonSet", "ds",
		annotations.Plugins+": quiet, "+annotations.Rollout+": auto", kongImage)
	s.apply(daemonSet)
	s.apply(fmt.Sprintf(idleWorkload, "StatefulSet", "sts", "example.com/request: none", kongImage))
	for _, workload := range []string{"daemonset/ds", "statefulset/sts"} {
		s.run("", "rollout", "status", workload, "--timeout="+waitTimeout.String())
	}
	s.publishAs("quiet", quietPlugin().version("1.1.0"))
	for _, workload := range []string{"daemonset/ds", "statefulset/sts"} {
		s.waitPins(workload, "quiet@1.1.0")
		s.run("", "rollout", "status", workload, "--timeout="+waitTimeout.String())
	}
	// GitOps tools apply the same manifest again and again, without the pin.
	s.apply(daemonSet)
	s.run(daemonSet, "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-")
	s.waitPins("daemonset/ds", "quiet@1.1.0")
	eventually(t, func() error {
		got := s.run("", "get", "pluginpolicy", p.name, "-o", "jsonpath={.status.rollouts[*].status}")
		if want := "RolloutComplete: quiet: 1.0.0 -> 1.1.0"; got != want {
			return fmt.Errorf("the status of the policy has the rollouts %q, want %q", got, want)
		}
		return nil
	})
}
