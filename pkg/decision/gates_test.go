package decision_test

import (
	"cmp"
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/test/goldens"
)

// migrating returns a release that has migrations, for every plugin.
func migrating(_, plugin string) []*catalog.Release {
	return []*catalog.Release{{Plugin: plugin, Digest: "sha256:" + plugin, MigrationsDigest: "sha256:m"}}
}

// gated is the part of a pod's spec that has a scheduling gate.
func gated(gate string) string { return `"schedulingGates":[{"name":"` + gate + `"}],` }

// kongPodWithDatabase returns the JSON of a Kong pod.
func kongPodWithDatabase(annotated, spec, database string) []byte {
	env := `[{"name":"KONG_PG_HOST","value":"pg"},{"name":"KONG_DATABASE","value":"` + database + `"}]`
	container := `{"name":"proxy","image":"kong:3.9","env":` + env + `}`
	return []byte(`{"metadata":{"annotations":` + annotated + `},"spec":{` + spec + `"containers":[` + container + `]}}`)
}

// TestGates proves which pods get which scheduling gates, and that they keep those that they have.
func TestGates(t *testing.T) {
	const (
		library    = annotations.LibraryGate
		migrations = annotations.MigrationsGate
	)
	for name, test := range map[string]struct {
		// annotated is the pod's annotations as JSON. By default it requests a plugin.
		annotated string
		// spec is an additional part of the pod's spec.
		spec, owner, database string
		copied, migrated      bool
		// template: the decision is about a pod template.
		template bool
		want     []string
	}{
		"no copies, not migrated":  {want: []string{library, migrations}},
		"not migrated":             {copied: true, want: []string{migrations}},
		"no copies":                {migrated: true, want: []string{library}},
		"ready":                    {copied: true, migrated: true},
		"of a ReplicaSet":          {owner: "ReplicaSet", want: []string{library, migrations}},
		"of a Job":                 {owner: "Job", want: []string{library}},
		"on a node":                {spec: `"nodeName":"a",`},
		"with a gate of others":    {spec: gated("a/b"), want: []string{"a/b", library, migrations}},
		"with the library gate":    {spec: gated(library), want: []string{library, migrations}},
		"with the migrations gate": {spec: gated(migrations), want: []string{migrations, library}},
		"migrations off": {
			annotated: `{"kongdao.io/plugins":"a","kongdao.io/migrations":"off"}`,
			want:      []string{library},
		},
		"database off":     {database: "off", want: []string{library}},
		"denied":           {annotated: `{"kongdao.io/plugins":"a,"}`},
		"requests nothing": {annotated: `{}`},
		"a template":       {template: true},
	} {
		t.Run(name, func(t *testing.T) {
			pod := kongPodWithDatabase(cmp.Or(test.annotated, `{"kongdao.io/plugins":"a"}`), test.spec, test.database)
			asked := ""
			cluster := decision.Cluster{
				Releases:  migrating,
				HasCopies: func(string, []*catalog.Release) bool { return test.copied },
				IsMigrated: func(namespace, name string) (bool, error) {
					asked = namespace + "/" + name
					return test.migrated, nil
				},
			}
			if test.template {
				cluster.HasCopies, cluster.IsMigrated = nil, nil
			}
			got, err := decision.Admit(decision.Pod{Namespace: "kong", OwnerKind: test.owner, View: viewOf(t, pod)}, cluster)
			if err != nil {
				t.Fatal(err)
			}
			patched := viewOf(t, goldens.Apply(t, pod, got.Patch))
			if diff := gocmp.Diff(test.want, patched.Gates); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
			waits := patched.HasGate(migrations) && test.spec != gated(migrations)
			if (got.Migration != "") != waits || waits && asked != "kong/"+got.Migration {
				t.Errorf("the pod waits for PluginMigration %q, and the decision asked about %q", got.Migration, asked)
			}
		})
	}
}

// TestGatesUnknown proves that nothing is decided if it is unknown whether the database is migrated.
func TestGatesUnknown(t *testing.T) {
	pod := kongPodWithDatabase(`{"kongdao.io/plugins":"a"}`, "", "")
	got, err := decision.Admit(decision.Pod{Namespace: "kong", View: viewOf(t, pod)}, decision.Cluster{
		Releases:   migrating,
		IsMigrated: func(string, string) (bool, error) { return false, errors.New("the cache is broken") },
	})
	if err == nil || !strings.Contains(err.Error(), "the cache is broken") || len(got.Patch) > 0 {
		t.Errorf("decided %v, %v", got.Patch, err)
	}
}
