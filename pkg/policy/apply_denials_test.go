package policy

import (
	"fmt"
	"testing"
)

// TestApplyConflicts proves rule 3: two versions of a plugin are denied, and the denial names both. A denied plugin is
// not part of the request, so that there is no second denial if it does not exist.
func TestApplyConflicts(t *testing.T) {
	const policies = `policy "q" requires version "1", policy "p" requires version "2"`
	testApply(t, map[string]applyCase{
		"two policies": {
			policies: specs{"q": requires("a@1"), "p": requires("a@2")},
			want:     []string{"all Kong containers", "ConflictingPolicies: " + conflict(policies), "denied p q"},
		},
		"four policies": {
			policies: specs{"r": requires("a@1"), "q": requires("a@1"), "p": requires("a@2"), "o": requires("a")},
			want:     []string{"all Kong containers", "ConflictingPolicies: " + conflict(policies), "denied p q r"},
			reason:   "the message names one policy for each version; a policy without a version causes no denial",
		},
		"the annotation and a policy": {
			policies: specs{"p": requires("a@2"), "q": requires("a@1")}, annotations: annotated{"plugins": "a@1"},
			want: []string{
				"all Kong containers", "denied p q",
				"ConflictingPolicies: " +
					conflict(`annotation kongdao.io/plugins requests version "1", policy "p" requires version "2"`),
			},
		},
	})
}

// TestApplyAllowed proves rule 4: which requests are denied.
func TestApplyAllowed(t *testing.T) {
	many := make([]string, 12)
	for i := range many {
		many[i] = fmt.Sprintf("b%d", i)
	}
	const first10 = "b0, b1, b2, b3, b4, b5, b6, b7, b8, b9"
	denied := []string{"NotAllowed: " + notAllowed("a", "p", "b"), "denied p"}
	testApply(t, map[string]applyCase{
		"not in the list": {
			policies: specs{"p": allows("b", "dao-*@1.*")}, annotations: annotated{"plugins": "b,a"},
			want: []string{"plugin b", "NotAllowed: " + notAllowed("a", "p", "b, dao-*@1.*"), "denied p"},
		},
		"another version": {
			policies: specs{"p": allows("a@1.*")}, annotations: annotated{"plugins": "a@2.0"},
			want: []string{"NotAllowed: " + notAllowed("a@2.0", "p", "a@1.*"), "denied p"},
		},
		"a pod that does not run Kong": {
			policies: specs{"p": allows("b")}, annotations: annotated{"plugins": "a", "containers": "x"}, notKong: true,
			want: denied, reason: "the annotation kongdao.io/containers does not bypass a policy",
		},
		"opted out": {
			policies:    specs{"p": {Plugins: plugins("b"), Allowed: []string{"b"}}},
			annotations: annotated{"plugins": "a", "inject": "false"},
			want:        append(denied, "opted_out p"),
			reason:      "a pod can opt out of plugins, not of an allowed list",
		},
		"two lists": {
			policies:    specs{"p": allows("dao-*"), "q": allows("*-test")},
			annotations: annotated{"plugins": "dao-test,dao-x,y-test"},
			want: []string{
				"plugin dao-test", "NotAllowed: " + notAllowed("dao-x", "q", "*-test"),
				"NotAllowed: " + notAllowed("y-test", "p", "dao-*"), "denied p q",
			},
			reason: "every list must allow the plugin",
		},
		"a long list": {
			policies: specs{"p": allows(many...)}, annotations: annotated{"plugins": "a"},
			want: []string{"NotAllowed: " + notAllowed("a", "p", first10+" and 2 more"), "denied p"},
		},
	})
}

// TestApplyAllowedByPolicy proves rule 4: what a policy requires is allowed.
func TestApplyAllowedByPolicy(t *testing.T) {
	testApply(t, map[string]applyCase{
		"without a request": {
			policies: specs{"p": requires("a"), "q": allows("b")}, want: []string{"plugin a", "all Kong containers"},
		},
		"the same request": {
			policies: specs{"p": requires("a@1"), "q": allows("b")}, annotations: annotated{"plugins": "a@1"},
			want: []string{"plugin a@1", "all Kong containers"},
		},
		"a request without a version": {
			policies: specs{"p": requires("a@1"), "q": allows("b")}, annotations: annotated{"plugins": "a"},
			want: []string{"plugin a@1", "all Kong containers"},
		},
		"a request with a version": {
			policies: specs{"p": requires("a"), "q": allows("b")}, annotations: annotated{"plugins": "a@1"},
			want:   []string{"all Kong containers", "NotAllowed: " + notAllowed("a@1", "q", "b"), "denied q"},
			reason: "the policy requires the plugin, but not this version",
		},
		"a policy for other pods": {
			policies:    specs{"p": forPods(labelled("x", "y"), requires("a")), "q": allows("b")},
			annotations: annotated{"plugins": "a"},
			want:        []string{"NotAllowed: " + notAllowed("a", "q", "b"), "denied q"},
		},
	})
}
