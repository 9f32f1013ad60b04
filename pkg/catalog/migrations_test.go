package catalog_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

func releaseOf(t *testing.T, data map[string]string) *catalog.Release {
	t.Helper()
	releases := catalog.Assemble("dao-test", []catalog.Source{catalog.SourceOf(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "a", Labels: map[string]string{annotations.Plugin: "dao-test"}}, Data: data,
	})})
	return releases[0]
}

// TestMigrations proves which migrations a release has, in Kong's order (K2).
func TestMigrations(t *testing.T) {
	for name, test := range map[string]struct {
		data map[string]string
		want []string
		// none says that the release brings no migrations at all.
		none   bool
		reason string
	}{
		"none":            {data: map[string]string{"handler.lua": ""}, none: true},
		"in the order":    {data: map[string]string{"migrations.init.lua": `return {"b", "a"}`, "migrations.a.lua": "1", "migrations.b.lua": "2"}, want: []string{"b", "a"}},
		"flat":            {data: map[string]string{"init.lua": `return {"000_base"}`, "000_base.lua": ""}, want: []string{"000_base"}},
		"a module's list": {data: map[string]string{"migrations.lua": `return {"a"}`, "migrations.a.lua": ""}, want: []string{"a"}, reason: "Kong looks for it first (K2)"},
		"empty list":      {data: map[string]string{"migrations.init.lua": `return {}`}, none: true, reason: "Kong runs nothing"},
		"computed list":   {data: map[string]string{"migrations.init.lua": `return names()`, "migrations.a.lua": ""}, reason: "there are some, and only Lua could tell which"},
		"a missing file":  {data: map[string]string{"migrations.init.lua": `return {"a"}`}, want: []string{"a"}, reason: "the release is denied for it, and still has it"},
		"in a folder":     {data: map[string]string{"migrations.init.lua": `return {"a"}`, "migrations.a.init.lua": "x"}, want: []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			release := releaseOf(t, test.data)
			var got []string
			for _, migration := range release.Migrations() {
				got = append(got, migration.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
			if none := release.MigrationsDigest == ""; none != test.none {
				t.Errorf("digest %q: %s", release.MigrationsDigest, test.reason)
			}
		})
	}
}

// TestMigrationsDigest proves what makes another set of migrations: any file
// that Kong may load for them, and nothing else.
func TestMigrationsDigest(t *testing.T) {
	base := map[string]string{
		"handler.lua": "1", "schema.lua": "1", "migrations.init.lua": `return {"a"}`, "migrations.a.lua": "1", "migrations.shared.lua": "1",
	}
	before := releaseOf(t, base)
	for key := range base {
		changed := maps.Clone(base)
		changed[key] += " -- changed"
		after := releaseOf(t, changed)
		if other, want := after.MigrationsDigest != before.MigrationsDigest, strings.HasPrefix(key, "migrations."); other != want {
			t.Errorf("with another %s the digest is another: %v", key, other)
		}
		if fmt.Sprint(after.Migrations()) != fmt.Sprint(before.Migrations()) && key != "migrations.a.lua" {
			t.Errorf("with another %s the migrations are others: %v", key, after.Migrations())
		}
	}
}
