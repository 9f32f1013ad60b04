//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// quick makes certificates end within two minutes, so that the steps of a
// rotation are some seconds apart.
const quick = "--set=extraArgs={--ca-lifetime=360s,--cert-lifetime=120s}"

// TestInstall goes the way of a platform engineer: the packed chart with the
// built image is installed, used, upgraded, and removed.
//
// The tests that install kongdao are not parallel: a webhook concerns the whole
// cluster.
func TestInstall(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	r := install(t, quick)
	r.rolledOut()
	t.Run("files", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T){
			"immutable": immutableSources, "mutable": mutableSources, "beside the chart's mount": besideTheChartsMount,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})
	mustHelm(t, "test", "kongdao", "--timeout=2m")
	s.denied()

	load := s.load()
	for round := range 2 {
		r.rotate(fmt.Sprint(round))
		r.replaceReplicas()
	}
	r.upgrade("--set=logLevel=debug", quick)
	load.restartAPIServer()
	load.end("rotations, lost replicas, an upgrade")

	r.wantRightsUsed(always)
	r.withoutReplicas(s)
	r.uninstall()
	if err := s.create(t.Context(), true, false); err != nil {
		t.Errorf("a pod that asks, when all is gone: %v", err)
	}
}

// TestNamespaced proves that kongdao which is installed for one namespace works
// there, with Roles of that namespace alone, and that the API server asks it
// about nothing elsewhere.
func TestNamespaced(t *testing.T) {
	s, other := newSpace(t), newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	r := install(t, "--set=watchNamespaces={"+s.name+"}")
	r.rolledOut()
	// A replica may be ready a moment before the way to it is there.
	eventually(t, func() error { return s.create(t.Context(), true, true) })
	mustHelm(t, "test", "kongdao", "--timeout=2m")
	s.annotated(kong(t))
	s.wantFiles(pluginFiles(t))
	if err := other.create(t.Context(), true, false); err != nil {
		t.Errorf("a pod that asks in another namespace: %v", err)
	}
	s.denied()
	r.rotate("now")
	r.wantRightsUsed(always)
	r.uninstall()
}

// denied has a workload ask for what is not there: its pods are denied again
// and again, and whoever looks at it is told why.
func (s space) denied() {
	s.t.Helper()
	denied := kong(s.t)
	denied.Name = "denied"
	denied.Annotations[annotations.Plugins] = "no-such-plugin"
	s.apply(manifests(s.t, denied))
	eventually(s.t, func() error {
		out, err := s.try("", "get", "events.events.k8s.io", "--field-selector=reason=PluginsDenied", "--output=jsonpath={range .items[*]}{.series.count} {.note}{end}")
		if err == nil && (!strings.Contains(out, `no ConfigMap in namespace "`+s.name+`"`) || strings.HasPrefix(out, " ")) {
			err = fmt.Errorf("no Event tells of more than one denial: %q", out)
		}
		return err
	})
	s.run("", "delete", "deployment", denied.Name)
}
