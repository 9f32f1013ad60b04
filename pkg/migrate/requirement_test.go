package migrate

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/configmaps"
)

func withMigrations(plugin, version string) *catalog.Release {
	return &catalog.Release{
		Plugin: plugin, Version: version, Digest: "sha256:" + plugin, MigrationsDigest: "sha256:m-" + plugin,
	}
}

func withoutMigrations(plugin string) *catalog.Release {
	return &catalog.Release{Plugin: plugin, Digest: "sha256:" + plugin}
}

// TestRequirementOf proves which pods require a migration, and that the injection record of a pod gives the same
// requirement as its releases.
func TestRequirementOf(t *testing.T) {
	host := variable("KONG_PG_HOST", "pg")
	type releases = []*catalog.Release
	one, unsorted := releases{withMigrations("a", "")}, releases{withMigrations("b", ""), withMigrations("a", "2")}
	off := host + "," + variable("KONG_DATABASE", "off")
	const noDatabase = "Kong has no database (fact K18)"
	for name, test := range map[string]struct {
		mode, env string
		with      string
		releases  releases
		want      string
		reason    string
	}{
		"one plugin":          {env: host, releases: releases{withMigrations("dao-test", "1.1.0")}, want: "dao-test@1.1.0"},
		"one of two plugins":  {env: host, releases: releases{withoutMigrations("a"), withMigrations("b", "")}, want: "b"},
		"two plugins, sorted": {env: host, releases: unsorted, want: "a@2, b"},
		"no migrations":       {env: host, releases: releases{withoutMigrations("a")}},
		"annotation off":      {env: host, mode: "off", releases: one},
		"annotation up":       {env: host, mode: "up", releases: one, want: "a"},
		"database off":        {env: off, releases: one, reason: noDatabase},
		"data plane":          {env: host + "," + variable("KONG_ROLE", "data_plane"), releases: one, reason: noDatabase},
		"database through a sidecar": {
			with: "pg-proxy", env: variable("KONG_PG_HOST", "localhost"), releases: one, want: "a",
		},
		"database on localhost": {env: variable("KONG_PG_USER", "kong"), releases: one, reason: "a Job cannot reach it"},
	} {
		t.Run(name, func(t *testing.T) {
			pod, err := mutate.DecodePod([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"x",` +
				`"kongdao.io/migrations":"` + test.mode + `","kongdao.io/migrations-with":"` + test.with + `"}},` +
				`"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":[` + test.env + `]},` +
				`{"name":"pg-proxy","image":"sql-proxy"}]}}`))
			if err != nil {
				t.Fatal(err)
			}
			request, _ := annotations.Parse(pod.Annotations)
			requirement, ok := RequirementOf("kong", pod, request, test.releases)
			if ok != (test.want != "") || requirement.Plugins.request() != test.want {
				t.Errorf("the pod requires %q, want %q: %s", requirement.Plugins.request(), test.want, test.reason)
			}
			if !ok {
				return
			}
			record, err := json.Marshal(mutate.NewInjectionRecord(test.releases))
			if err != nil {
				t.Fatal(err)
			}
			pod.Annotations[annotations.InjectionRecord] = string(record)
			injected, ok := RequirementOfInjected("kong", pod)
			if !ok || injected.MigrationName() != requirement.MigrationName() || injected.Mode != requirement.Mode {
				t.Errorf("by its injection record the pod requires %+v, by its releases %+v", injected, requirement)
			}
		})
	}
}

// TestInvalidInjectionRecords proves that an invalid injection record causes no requirement.
func TestInvalidInjectionRecords(t *testing.T) {
	kong, err := mutate.DecodePod([]byte(`{"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":[` +
		variable("KONG_PG_HOST", "pg") + `]}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range []string{
		"", "x", "[]", `{"releases":null}`, `{"releases":[{}]}`, `{"releases":[{"plugin":"a","migrations":""}]}`,
		`{"releases":[{"plugin":"../a","migrations":"x"}]}`, `{"releases":[{"plugin":"_","migrations":"x"}]}`,
		`{"releases":[{"plugin":"a","version":"\n","migrations":"x"}]}`,
		`{"releases":[{"plugin":"a","migrations":"x"},{"plugin":"a","migrations":"y"}]}`, strings.Repeat("[", 100_000),
	} {
		pod := mutate.Pod{
			Annotations: map[string]string{annotations.Plugins: "a", annotations.InjectionRecord: record},
			Containers:  kong.Containers,
		}
		if requirement, ok := RequirementOfInjected("kong", pod); ok {
			t.Errorf("%.40q: %+v", record, requirement)
		}
	}
}

// TestMigrationName proves that the name of a PluginMigration is valid for every plugin name, and that it depends on
// the database and the migrations only.
func TestMigrationName(t *testing.T) {
	base := second()
	for name, test := range map[string]struct {
		change func(*Requirement)
		same   bool
	}{
		"another version":   {func(r *Requirement) { r.Plugins[0].Version = "9" }, true},
		"another release":   {func(r *Requirement) { r.Plugins[0].ReleaseDigest = "sha256:other" }, true},
		"another image":     {func(r *Requirement) { r.Image = "kong:3.10" }, true},
		"another migration": {func(r *Requirement) { r.Plugins[0].MigrationsDigest = "sha256:other" }, false},
		"another database":  {func(r *Requirement) { r.Database.Key = "fedcba9876543210" }, false},
		"another plugin": {func(r *Requirement) {
			r.Plugins = append(r.Plugins, releaseWith("other", "000", "x"))
		}, false},
	} {
		changed := second()
		test.change(&changed)
		if same := changed.MigrationName() == base.MigrationName(); same != test.same {
			t.Errorf("%s: has the same name: %v, want %v", name, same, test.same)
		}
	}
	for _, plugin := range []string{"a", "A_b", "0", strings.Repeat("long_", 12) + "abc"} {
		name := requirementOf(releaseWith(plugin, "000", "x"), releaseWith("z", "000", "x")).MigrationName()
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 || len(name) > 48 {
			t.Errorf("plugin %q: the name %q is invalid: %v", plugin, name, problems)
		}
	}
}

// TestWithNames proves that the names of migrations come from a release with the same migrations.
func TestWithNames(t *testing.T) {
	find := func(plugin string) []*catalog.Release {
		source := configmaps.Source("kong", "a", plugin)
		source.Data["migrations.init.lua"] = `return { "000_base" }`
		return catalog.Assemble(plugin, []catalog.Source{catalog.NewSource(source)})
	}
	set := PluginSet{
		{Name: "dao-test", MigrationsDigest: find("dao-test")[0].MigrationsDigest},
		{Name: "gone", MigrationsDigest: "sha256:gone"},
	}
	named := set.WithNames(func(plugin, digest string) []v1alpha1.Migration { return NamesOf(find(plugin), digest) })
	if len(named[0].Migrations) != 1 || named[0].Migrations[0].Name != "000_base" || len(named[1].Migrations) != 0 {
		t.Errorf("%+v", named)
	}
	if set[0].Migrations != nil {
		t.Error("WithNames changed the set itself")
	}
}
