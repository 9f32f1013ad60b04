package decision_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/decision"
)

// template returns the annotations of a pod template. Empty values are missing annotations.
func template(plugins, releases string) map[string]string {
	made := map[string]string{}
	if plugins != "" {
		made[annotations.Plugins] = plugins
	}
	if releases != "" {
		made[annotations.Releases] = releases
	}
	return made
}

// TestPinsOf proves which pins a change of a template keeps, and which plugins get a new one.
func TestPinsOf(t *testing.T) {
	for name, test := range map[string]struct {
		template, old map[string]string
		kept          string
		added         []string
		unpinned      []string
		malformed     bool
		reason        string
	}{
		"new workload":       {template: template("a, b@2", ""), added: []string{"a"}},
		"new without plugin": {template: template("", "")},
		"new with a pin": {
			template: template("a", "a@1"), kept: "a@1", reason: "the manifest of a copied workload has it",
		},
		"nothing changes":     {template: template("a", "a@1"), old: template("a", "a@1"), kept: "a@1"},
		"rolled back":         {template: template("a", "a@1"), old: template("a", "a@2"), kept: "a@1"},
		"pin without version": {template: template("a", "a"), old: template("a", "a"), kept: "a"},
		"applied without pins": {
			template: template("a", ""), old: template("a", "a@1"), kept: "a@1",
			reason: "the manifest that a person applies does not have them",
		},
		"plugin added": {
			template: template("a,b", "a@1"), old: template("a", "a@1"), kept: "a@1", added: []string{"b"},
		},
		"plugin removed":  {template: template("a", "a@1,b@1"), old: template("a,b", "a@1,b@1"), kept: "a@1"},
		"request removed": {template: template("", "a@1"), old: template("a", "a@1")},
		"version added":   {template: template("a@2", "a@1"), old: template("a", "a@1")},
		"version removed": {
			template: template("a", ""), old: template("a@1", ""), added: []string{"a"}, reason: "the request changed",
		},
		"version removed, and a stale pin": {
			template: template("a", "a@1"), old: template("a@2", "a@1"), added: []string{"a"},
		},
		"version replaced by a pin": {
			template: template("a", "a@2"), old: template("a@2", ""), kept: "a@2", reason: "someone chose it",
		},
		"from before pins": {
			template: template("a,b@1", ""), old: template("a,b@1", ""), unpinned: []string{"a"},
			reason: "it gets what its pods have",
		},
		"pin of a policy's plugin": {
			template: template("a", "a@1,p@3"), old: template("a", "a@1"), kept: "a@1,p@3",
			reason: "the plugin is not requested by the annotation",
		},
		"malformed":     {template: template("a,", "a@1"), malformed: true},
		"malformed pin": {template: template("a", "a@"), malformed: true},
		"old malformed": {
			template: template("a", ""), old: template("a@", ""), added: []string{"a"}, reason: "its pods were denied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := decision.PinsOf(test.template, test.old)
			if ok == test.malformed {
				t.Fatalf("well-formed: %t", ok)
			}
			want := decision.Pins{New: test.added, Unpinned: test.unpinned}
			want.Kept, _ = annotations.ParsePins(test.kept)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
		})
	}
}
