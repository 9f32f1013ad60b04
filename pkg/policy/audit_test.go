package policy

import "testing"

const wouldDeny = "warning: audited policies would deny this pod: "

// TestAuditChanges proves rule 7: a policy with mode Audit changes nothing. A warning names what it would change, and
// only the policies that would.
func TestAuditChanges(t *testing.T) {
	testApply(t, map[string]applyCase{
		"a plugin": {
			policies: specs{"p": audited(requires("a@1", "b")), "q": requires("b")},
			want: []string{
				"plugin b", "all Kong containers", "would_change p",
				`warning: audited policy "p" would give this pod the plugin "a@1"`,
			},
		},
		"a plugin for other pods": {
			policies: specs{"p": audited(forPods(labelled("x", "y"), requires("a"))), "q": audited(requires("a"))},
			want:     []string{`warning: audited policy "q" would give this pod the plugin "a"`, "would_change q"},
		},
		"a plugin of two policies": {
			policies: specs{"p": audited(requires("a@1")), "q": audited(requires("a"))},
			want:     []string{`warning: audited policies "p" and "q" would give this pod the plugin "a@1"`, "would_change p q"},
		},
		"a version": {
			policies:    specs{"p": audited(requires("a@1")), "q": audited(requires("a"))},
			annotations: annotated{"plugins": "a"},
			want: []string{
				"plugin a", "would_change p", `warning: audited policy "p" would give this pod the plugin "a@1"`,
			},
			reason: "a policy without a version changes none",
		},
		"nothing": {
			policies: specs{"p": audited(requires("a")), "q": requires("a@1")},
			want:     []string{"plugin a@1", "all Kong containers"},
		},
		"containers": {
			policies: specs{"p": audited(requires("a"))}, annotations: annotated{"plugins": "a", "containers": "x"},
			want: []string{
				"plugin a", "would_change p",
				`warning: audited policy "p" would give the plugin "a" to all Kong containers, ` +
					`not only to those that the annotation kongdao.io/containers names`,
			},
		},
		"nothing, because the pod opts out": {
			policies: specs{"p": audited(requires("a"))}, annotations: annotated{"inject": "false"},
		},
		"a plugin that the pod cannot opt out of": {
			policies: specs{"p": audited(withoutOptOut(requires("a")))}, annotations: annotated{"inject": "false"},
			want: []string{`warning: audited policy "p" would give this pod the plugin "a"`, "would_change p"},
		},
	})
}

// TestAuditDenials proves rule 7 for denials: a warning has what would be denied, and the effects name only audited
// policies that would deny it.
func TestAuditDenials(t *testing.T) {
	testApply(t, map[string]applyCase{
		"a malformed annotation": {
			policies: specs{"p": audited(requires("a"))}, annotations: annotated{"inject": "no"},
			want: []string{wouldDeny + malformedInject, "would_deny p"},
		},
		"an allowed list": {
			policies: specs{"p": audited(allows("b")), "q": allows("a")}, annotations: annotated{"plugins": "a"},
			want: []string{"plugin a", wouldDeny + notAllowed("a", "p", "b"), "would_deny p"},
		},
		"a conflict": {
			policies: specs{"p": audited(requires("a@2")), "q": requires("a@1")},
			want: []string{
				"plugin a@1", "all Kong containers", "would_deny p",
				wouldDeny + conflict(`policy "q" requires version "1", policy "p" requires version "2"`),
			},
			reason: "the other policy is enforced and denies nothing",
		},
		"a pod that is denied already": {
			policies: specs{"p": audited(allows("b")), "q": allows("c")}, annotations: annotated{"plugins": "a"},
			want: []string{"NotAllowed: " + notAllowed("a", "q", "c"), "denied q"},
		},
		"a pod that would be allowed": {
			policies: specs{"p": audited(requires("a@1")), "q": allows("b")}, annotations: annotated{"plugins": "a"},
			want: []string{
				"NotAllowed: " + notAllowed("a", "q", "b"), "denied q", "would_change p",
				`warning: audited policy "p" would give this pod the plugin "a@1"`,
			},
			reason: "an audited policy allows nothing",
		},
	})
}

// TestAuditLibraries proves rule 7 for the origins of plugins.
func TestAuditLibraries(t *testing.T) {
	request := annotated{"plugins": "a"}
	testApply(t, map[string]applyCase{
		"another library": {
			policies: specs{"p": audited(spec{Library: "l"}), "q": {Library: "k"}}, annotations: request,
			want: []string{
				"plugin a", "a from k, only false", "would_change p",
				`warning: audited policy "p" would also take the plugin "a" from library "l"`,
			},
		},
		"the same library": {
			policies: specs{"p": audited(spec{Library: "l"}), "q": {Library: "l"}}, annotations: request,
			want: []string{"plugin a", "a from l, only false"},
		},
		"only a library": {
			policies: specs{"p": audited(from("l", requires("a"))), "q": {Library: "l"}}, annotations: request,
			want: []string{
				"plugin a", "a from l, only false", "would_change p",
				`warning: audited policy "p" would take the plugin "a" only from library "l"`,
			},
		},
	})
}
