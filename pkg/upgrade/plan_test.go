package upgrade_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/upgrade"
	"kongdao.io/kongdao/test/configmaps"
)

// release returns a release of the plugin "a" with migrations.
func release(version string, migrations ...string) *corev1.ConfigMap {
	source := configmaps.Versioned(configmaps.Source("kong", "a-"+version, "a"), version)
	if len(migrations) > 0 {
		source.Data["migrations.init.lua"] = `return { "` + strings.Join(migrations, `", "`) + `" }`
	}
	for _, name := range migrations {
		source.Data["migrations."+name+".lua"] = `return { postgres = { up = "SELECT 1" } }`
	}
	return source
}

func plan(t *testing.T, plugins, pins string, targets ...annotations.PluginRef) (upgrade.Plan, error) {
	t.Helper()
	index := &catalog.Index{}
	broken := release("3.0.0")
	delete(broken.Data, "schema.lua")
	for _, source := range []*corev1.ConfigMap{
		release("1.0.0", "000_base"), release("2.0.0", "000_base", "001_next"), broken,
		configmaps.Versioned(configmaps.Source("kong", "b", "b"), "1.0.0"),
	} {
		index.Put(catalog.NewSource(source))
	}
	view, err := mutate.DecodePod([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"` + plugins +
		`","kongdao.io/releases":"` + pins + `"}},"spec":{"containers":[{"name":"proxy","image":"kong:3.9"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	workload := upgrade.Workload{Namespace: "kong", Kind: "Deployment", Name: "kong", Template: view}
	return upgrade.NewPlan(workload, targets, decision.Cluster{Releases: index.Releases})
}

// TestNewPlan proves what an upgrade changes.
func TestNewPlan(t *testing.T) {
	a := func(version string) annotations.PluginRef { return annotations.PluginRef{Name: "a", Version: version} }
	for name, test := range map[string]struct {
		plugins, pins string
		targets       []annotations.PluginRef
		changes       []string
		want          string
		err           string
		reason        string
	}{
		"newest": {
			plugins: "a", pins: "a@1.0.0", changes: []string{"a: 1.0.0 -> 2.0.0, with migrations 001_next"}, want: "a@2.0.0",
			reason: "3.0.0 has no schema",
		},
		"newest already": {plugins: "a", pins: "a@2.0.0", want: "a@2.0.0"},
		"to a version": {
			plugins: "a,b", pins: "a@2.0.0,b@1.0.0", targets: []annotations.PluginRef{a("1.0.0")},
			changes: []string{"a: 2.0.0 -> 1.0.0"}, want: "a@1.0.0,b@1.0.0",
		},
		"one of two plugins": {
			plugins: "b,a", pins: "a@1.0.0,b@0.9.0", targets: []annotations.PluginRef{{Name: "b"}},
			changes: []string{"b: 0.9.0 -> 1.0.0"}, want: "a@1.0.0,b@1.0.0", reason: "the old release of b is gone",
		},
		"no pin": {
			plugins: "a", changes: []string{"a: (no pin) -> 2.0.0, with migrations 000_base, 001_next"}, want: "a@2.0.0",
		},
		"broken release": {
			plugins: "a", pins: "a@1.0.0", targets: []annotations.PluginRef{a("3.0.0")},
			err: `plugin "a@3.0.0" in ConfigMap "a-3.0.0": the plugin has no schema.lua`,
		},
		"unknown version": {
			plugins: "a", pins: "a@1.0.0", targets: []annotations.PluginRef{a("9")},
			err: `plugin "a@9": namespace "kong" has versions "1.0.0", "2.0.0" and "3.0.0"`,
		},
		"previous release without a version": {
			plugins: "b", pins: "b@1.0.0", targets: []annotations.PluginRef{{Name: "b", IsPin: true}}, err: `plugin "b": `,
			reason: "it is gone, and does not mean the newest",
		},
		"not requested": {
			plugins: "a", targets: []annotations.PluginRef{{Name: "b"}},
			err: `plugin "b": Deployment "kong/kong" does not request it in annotation kongdao.io/plugins`,
		},
		"requested with a version": {
			plugins: "a@1.0.0", targets: []annotations.PluginRef{a("2.0.0")},
			err: `plugin "a": annotation kongdao.io/plugins of Deployment "kong/kong" requests "a@1.0.0", and a version there ` +
				`overrides a pin; change the annotation`,
		},
		"nothing without a version": {plugins: "a@1.0.0", err: `Deployment "kong/kong" requests no plugin without a version`},
		"malformed":                 {plugins: "a,", err: "annotation kongdao.io/plugins: element 2"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := plan(t, test.plugins, test.pins, test.targets...)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got error %v, want %q: %s", err, test.err, test.reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var changes []string
			for _, change := range got.Changes {
				changes = append(changes, change.String())
			}
			if diff := cmp.Diff(test.changes, changes); diff != "" || got.Pins != test.want {
				t.Errorf("pins %q, want %q: %s (-want +got)\n%s", got.Pins, test.want, test.reason, diff)
			}
		})
	}
}
