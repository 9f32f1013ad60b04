//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// shortCertificates limits the validity of certificates to two minutes, so that a rotation takes seconds.
const shortCertificates = "--set=extraArgs={--ca-lifetime=360s,--cert-lifetime=120s}"

// TestInstall installs the packed chart with the built image, uses it, upgrades it and uninstalls it.
//
// Tests that install kongdao do not run in parallel, because a webhook configuration applies to the whole cluster.
func TestInstall(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	r := install(t, shortCertificates)
	r.waitReady()
	t.Run("files", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T){
			"immutable sources": testImmutableSources, "mutable sources": testMutableSources,
			"the chart's own mount": testChartMount,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})
	mustHelm(t, "test", "kongdao", "--timeout=2m")
	s.wantDenialEvents()

	load := s.load()
	for round := range 2 {
		r.rotate(fmt.Sprint(round))
		r.replaceReplicas()
	}
	r.upgrade("--set=logLevel=debug", shortCertificates)
	load.restartAPIServer()
	load.end("rotations, replaced replicas and an upgrade")

	r.wantPermissionsUsed(always)
	r.wantOnlyRequestsBlocked(s)
	r.uninstall()
	if err := s.create(t.Context(), true, false); err != nil {
		t.Errorf("after the removal, a pod that requests plugins is denied: %v", err)
	}
}

// TestWatchNamespaces installs kongdao for one namespace. It works there, with Roles in that namespace only, and the
// API server does not call it for other namespaces.
func TestWatchNamespaces(t *testing.T) {
	s, other := newSpace(t), newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	r := install(t, "--set=watchNamespaces={"+s.name+"},prune.enabled=true,prune.keep=1,prune.minAgeHours=0",
		"--set=controller.extraArgs={--prune-interval=5s}")
	r.waitReady()
	// A replica can be ready before the Service routes to it.
	eventually(t, func() error { return s.create(t.Context(), true, true) })
	mustHelm(t, "test", "kongdao", "--timeout=2m")
	s.startAndAnnotate(kong(t))
	s.wantFiles(pluginFiles(t))
	if err := other.create(t.Context(), true, false); err != nil {
		t.Errorf("in another namespace, a pod that requests plugins is denied: %v", err)
	}
	s.wantDenialEvents()
	s.wantPruned(t)
	r.rotate("now")
	r.wantPermissionsUsed(always)
	r.uninstall()
}

// wantPruned publishes an old release, and waits until the controller has deleted it. The release that the Deployment
// uses stays.
func (s space) wantPruned(t *testing.T) {
	t.Helper()
	s.publish(release100(t).version("0.9.0"))
	s.waitEvent("ReleasePruned", `nothing uses release "dao-test@0.9.0"`)
	for version, want := range map[string]bool{"0.9.0": false, "1.1.0": true} {
		left := s.run("", "get", "configmaps", "-o", "name", "-l", annotations.PluginVersion+"="+version)
		if (left != "") != want {
			t.Errorf("the ConfigMaps of release %s are %q", version, left)
		}
	}
}

// wantDenialEvents creates a workload that requests an unknown plugin, and checks that an Event reports its denied pods
// with their count. Each replica writes separate Events. One that denied a single pod writes no count.
func (s space) wantDenialEvents() {
	s.t.Helper()
	denied := kong(s.t)
	denied.Name = "denied"
	denied.Annotations[annotations.Plugins] = "no-such-plugin"
	s.apply(manifests(s.t, denied))
	eventually(s.t, func() error {
		out, err := s.try("", "get", "events.events.k8s.io", "--field-selector=reason=PluginsDenied",
			`--output=jsonpath={range .items[*]}{.series.count} {.note}{"\n"}{end}`)
		if err != nil {
			return err
		}
		for event := range strings.Lines(out) {
			if !strings.HasPrefix(event, " ") && strings.Contains(event, `no ConfigMap in namespace "`+s.name+`"`) {
				return nil
			}
		}
		return fmt.Errorf("there is no Event with several denials: %q", out)
	})
	// The template has no pin, because there is no such plugin. When it changes, the webhook looks at the pods.
	s.run("", "set", "env", "deployment", denied.Name, "A=B")
	s.run("", "delete", "deployment", denied.Name)
	// The webhook looks for the workloads that need these releases.
	s.run("", "delete", "configmaps", "-l", annotations.Plugin, "--dry-run=server")
}
