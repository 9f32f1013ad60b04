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
	return catalog.Assemble("dao-test", []catalog.Source{catalog.NewSource(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kong", Name: "a", Labels: map[string]string{annotations.Plugin: "dao-test"},
		},
		Data: data,
	})})[0]
}

// TestMigrations checks which migrations a release has, and their order, which is the order of the list (fact K2).
func TestMigrations(t *testing.T) {
	type m = map[string]string
	for name, test := range map[string]struct {
		data map[string]string
		want []string
		// none is true if the release has no migrations at all.
		none   bool
		reason string
	}{
		"none": {data: m{"handler.lua": ""}, none: true, reason: "without a list there are no migrations"},
		"order of the list": {
			data: m{"migrations.init.lua": `return {"b", "a"}`, "migrations.a.lua": "1", "migrations.b.lua": "2"},
			want: []string{"b", "a"}, reason: "the list decides the order",
		},
		"flat": {
			data: m{"init.lua": `return {"000_base"}`, "000_base.lua": ""},
			want: []string{"000_base"}, reason: "the flat form",
		},
		"list in migrations.lua": {
			data: m{"migrations.lua": `return {"a"}`, "migrations.a.lua": ""},
			want: []string{"a"}, reason: "Kong requires the module migrations first (fact K2)",
		},
		"empty list": {data: m{"migrations.init.lua": `return {}`}, none: true, reason: "Kong runs nothing"},
		"computed list": {
			data:   m{"migrations.init.lua": `return names()`, "migrations.a.lua": ""},
			reason: "there are migrations, but only Lua can compute their names",
		},
		"missing file": {
			data: m{"migrations.init.lua": `return {"a"}`},
			want: []string{"a"}, reason: "the release is denied, but its list has the migration",
		},
		"directory": {
			data: m{"migrations.init.lua": `return {"a"}`, "migrations.a.init.lua": "x"},
			want: []string{"a"}, reason: "Lua also finds a/init.lua",
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := releaseOf(t, test.data)
			var got []string
			for _, migration := range release.Migrations() {
				got = append(got, migration.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if none := release.MigrationsDigest == ""; none != test.none {
				t.Errorf("digest = %q; want none = %v: %s", release.MigrationsDigest, test.none, test.reason)
			}
		})
	}
}

// TestMigrationsDigest checks that the digest depends on each file that Kong can load for the migrations, and on no
// other file.
func TestMigrationsDigest(t *testing.T) {
	base := map[string]string{
		"handler.lua": "1", "schema.lua": "1",
		"migrations.init.lua": `return {"a"}`, "migrations.a.lua": "1", "migrations.shared.lua": "1",
	}
	before := releaseOf(t, base)
	for key := range base {
		changed := maps.Clone(base)
		changed[key] += " -- changed"
		after := releaseOf(t, changed)
		differs, want := after.MigrationsDigest != before.MigrationsDigest, strings.HasPrefix(key, "migrations.")
		if differs != want {
			t.Errorf("a change of %s changes the digest: %v; want %v", key, differs, want)
		}
		if fmt.Sprint(after.Migrations()) != fmt.Sprint(before.Migrations()) && key != "migrations.a.lua" {
			t.Errorf("a change of %s changes the migrations to %v; want no change", key, after.Migrations())
		}
	}
}
