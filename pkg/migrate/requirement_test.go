package migrate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
)

// withMigrations is a release that brings some, another that does not.
func withMigrations(plugin, version string) *catalog.Release {
	return &catalog.Release{Plugin: plugin, Version: version, Digest: "sha256:" + plugin, MigrationsDigest: "sha256:m-" + plugin}
}

func withoutMigrations(plugin string) *catalog.Release {
	return &catalog.Release{Plugin: plugin, Digest: "sha256:" + plugin}
}

// TestNeedOf proves which pods need a migration.
func TestNeedOf(t *testing.T) {
	const host = `{"name":"KONG_PG_HOST","value":"pg"}`
	for name, test := range map[string]struct {
		mode, env string
		releases  []*catalog.Release
		want      string
		reason    string
	}{
		"one":              {env: host, releases: []*catalog.Release{withMigrations("dao-test", "1.1.0")}, want: "dao-test@1.1.0"},
		"of two":           {env: host, releases: []*catalog.Release{withoutMigrations("a"), withMigrations("b", "")}, want: "b"},
		"two, sorted":      {env: host, releases: []*catalog.Release{withMigrations("b", ""), withMigrations("a", "2")}, want: "a@2, b"},
		"none":             {env: host, releases: []*catalog.Release{withoutMigrations("a")}},
		"off by hand":      {env: host, mode: "off", releases: []*catalog.Release{withMigrations("a", "")}},
		"up alone":         {env: host, mode: "up", releases: []*catalog.Release{withMigrations("a", "")}, want: "a"},
		"database off":     {env: host + `,{"name":"KONG_DATABASE","value":"off"}`, releases: []*catalog.Release{withMigrations("a", "")}, reason: "list and up mean nothing there (K18)"},
		"data plane":       {env: host + `,{"name":"KONG_ROLE","value":"data_plane"}`, releases: []*catalog.Release{withMigrations("a", "")}},
		"its own database": {env: `{"name":"KONG_PG_USER","value":"kong"}`, releases: []*catalog.Release{withMigrations("a", "")}, reason: "no Job reaches a pod's loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			pod, err := mutate.DecodePod([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"x","kongdao.io/migrations":"` + test.mode + `"}},"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":[` + test.env + `]}]}}`))
			if err != nil {
				t.Fatal(err)
			}
			request, _ := annotations.Parse(pod.Annotations)
			need, needs := migrate.RequirementOf("kong", pod, request, test.releases)
			if needs != (test.want != "") || need.Set.Request() != test.want {
				t.Errorf("%v %q, want %q: %s", needs, need.Set.Request(), test.want, test.reason)
			}
			if !needs {
				return
			}
			// By the mark that the injection leaves, the controller comes to the same.
			mark, err := json.Marshal(mutate.NewInjectionRecord(test.releases))
			if err != nil {
				t.Fatal(err)
			}
			pod.Annotations[annotations.InjectionRecord] = string(mark)
			again, needs := migrate.RequirementOfInjected("kong", pod)
			if !needs || again.MigrationName() != need.MigrationName() || again.Mode != need.Mode {
				t.Errorf("by its mark: %+v, by its releases: %+v", again, need)
			}
		})
	}
}

// TestHostileMarks proves that a mark which is none makes no need.
func TestHostileMarks(t *testing.T) {
	for _, mark := range []string{"", "x", "[]", `{"releases":null}`, `{"releases":[{}]}`, `{"releases":[{"plugin":"a","migrations":""}]}`,
		`{"releases":[{"plugin":"../a","migrations":"x"}]}`, `{"releases":[{"plugin":"_","migrations":"x"}]}`, `{"releases":[{"plugin":"a","version":"\n","migrations":"x"}]}`,
		`{"releases":[{"plugin":"a","migrations":"x"},{"plugin":"a","migrations":"y"}]}`, strings.Repeat("[", 100_000)} {
		pod := mutate.Pod{Annotations: map[string]string{annotations.Plugins: "a", annotations.InjectionRecord: mark}, Containers: []mutate.Container{*kongIn(t, variable("KONG_PG_HOST", "pg"))}}
		if need, needs := migrate.RequirementOfInjected("kong", pod); needs {
			t.Errorf("%.40q: %+v", mark, need)
		}
	}
}

// TestRecord proves that a name is one, whatever plugins are called, and differs
// where the database or a migration does, and in nothing else.
func TestRecord(t *testing.T) {
	base := second()
	for what, test := range map[string]struct {
		change func(*migrate.Requirement)
		same   bool
	}{
		"another version":   {func(n *migrate.Requirement) { n.Set[0].Version, n.Set[0].ReleaseDigest = "9", "sha256:other" }, true},
		"another image":     {func(n *migrate.Requirement) { n.Image = "kong:3.10" }, true},
		"another migration": {func(n *migrate.Requirement) { n.Set[0].MigrationsDigest = "sha256:other" }, false},
		"another database":  {func(n *migrate.Requirement) { n.Database.Key = "fedcba9876543210" }, false},
		"another plugin":    {func(n *migrate.Requirement) { n.Set = append(n.Set, releaseWith("other", "000", "x")) }, false},
	} {
		changed := second()
		test.change(&changed)
		if same := changed.MigrationName() == base.MigrationName(); same != test.same {
			t.Errorf("%s: the same: %v", what, same)
		}
	}
	for _, plugin := range []string{"a", "A_b", "0", strings.Repeat("long_", 12) + "abc"} {
		name := requirementOf(releaseWith(plugin, "000", "x"), releaseWith("z", "000", "x")).MigrationName()
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 || len(name) > 48 {
			t.Errorf("%q makes %q: %v", plugin, name, problems)
		}
	}
}

// TestNamed proves that names of migrations come from whatever release still has
// these migrations.
func TestNamed(t *testing.T) {
	release := func(plugin string) []*catalog.Release {
		return catalog.Assemble(plugin, []catalog.Source{{Name: "a", Plugin: plugin, Keys: []catalog.Key{{Name: "migrations.init.lua", List: &catalog.List{Literal: true, Names: []string{"000_base"}}}}}})
	}
	set := migrate.Set{{Name: "dao-test", MigrationsDigest: release("dao-test")[0].MigrationsDigest}, {Name: "gone", MigrationsDigest: "sha256:gone"}}
	named := set.Named(release)
	if len(named[0].Migrations) != 1 || named[0].Migrations[0].Name != "000_base" || len(named[1].Migrations) != 0 {
		t.Errorf("%+v", named)
	}
	if set[0].Migrations != nil {
		t.Error("the set itself was changed")
	}
}
