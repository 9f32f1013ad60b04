package policy

import "testing"

// TestApplyWithoutPolicies proves that a request stays as it is.
func TestApplyWithoutPolicies(t *testing.T) {
	testApply(t, map[string]applyCase{
		"no request": {},
		"a request":  {annotations: annotated{"plugins": "b,a@1"}, want: []string{"plugin b", "plugin a@1"}},
	})
}

// TestApplyPlugins proves rules 1 and 2: which pods get the plugins of a policy, in which order and containers.
func TestApplyPlugins(t *testing.T) {
	selecting := forPods(labelled("app", "kong"), requires("a"))
	testApply(t, map[string]applyCase{
		"a policy": {
			policies: specs{"p": requires("b", "a@1")},
			want:     []string{"plugin a@1", "plugin b", "all Kong containers"},
		},
		"a policy and a request": {
			policies: specs{"p": requires("b", "a")}, annotations: annotated{"plugins": "c"},
			want:   []string{"plugin c", "plugin a", "plugin b", "all Kong containers"},
			reason: "the pod gets both",
		},
		"a pod that does not run Kong": {
			policies: specs{"p": requires("a")}, notKong: true,
			reason: "it gets only what it requests",
		},
		"a request of a pod that does not run Kong": {
			policies: specs{"p": requires("a")}, notKong: true, annotations: annotated{"plugins": "b"},
			want: []string{"plugin b"},
		},
		"a selected pod": {
			policies: specs{"p": selecting}, labels: map[string]string{"app": "kong"},
			want: []string{"plugin a", "all Kong containers"},
		},
		"a pod that is not selected": {policies: specs{"p": selecting}, labels: map[string]string{"app": "x"}},
		"a forged injection record": {
			policies:    specs{"p": requires("a")},
			annotations: annotated{"injected": "true", "injection": `{"releases":[]}`},
			want:        []string{"plugin a", "all Kong containers"},
			reason:      "no decision depends on the injection record",
		},
		"a request that names containers, for a plugin of a policy": {
			policies: specs{"p": requires("a")}, annotations: annotated{"plugins": "a", "containers": "x"},
			want:   []string{"plugin a", "all Kong containers"},
			reason: "the annotation must not exclude a Kong container",
		},
		"a request that names containers, for another plugin": {
			policies: specs{"p": allows("a")}, annotations: annotated{"plugins": "a", "containers": "x"},
			want:   []string{"plugin a"},
			reason: "no policy requires the plugin in all containers",
		},
	})
}

// TestApplyVersions proves rule 3: a version applies to those that name none.
func TestApplyVersions(t *testing.T) {
	want := []string{"plugin a@1", "all Kong containers"}
	request := annotated{"plugins": "a"}
	withVersion := annotated{"plugins": "a@1"}
	testApply(t, map[string]applyCase{
		"a policy names it": {
			policies: specs{"p": requires("a@1"), "q": requires("a")}, annotations: request, want: want,
		},
		"the annotation names it": {policies: specs{"p": requires("a")}, annotations: withVersion, want: want},
		"all name the same version": {
			policies: specs{"p": requires("a@1"), "q": requires("a@1")}, annotations: withVersion, want: want,
		},
	})
}

// TestApplyOptOut proves rule 5.
func TestApplyOptOut(t *testing.T) {
	testApply(t, map[string]applyCase{
		"all policies permit it": {
			policies: specs{"p": requires("a"), "q": requires("b")}, annotations: annotated{"inject": "false"},
			want: []string{"opted_out p q"},
		},
		"with a request": {
			policies: specs{"p": requires("a@1", "b")}, annotations: annotated{"inject": "false", "plugins": "a@2"},
			want:   []string{"plugin a@2", "opted_out p"},
			reason: "the pod gets what it requests, and the version of the policy does not conflict",
		},
		"one policy does not permit it": {
			policies: specs{"p": withoutOptOut(requires("a")), "q": requires("b")}, annotations: annotated{"inject": "false"},
			want: []string{
				"plugin a", "all Kong containers", "opted_out q",
				`warning: annotation kongdao.io/inject: "false" has no effect on policy "p", ` +
					`which does not permit opting out; remove the annotation`,
			},
		},
		"explicitly not": {
			policies: specs{"p": requires("a")}, annotations: annotated{"inject": "true"},
			want: []string{"plugin a", "all Kong containers"},
		},
	})
}

// TestApplyMalformedAnnotations proves that a malformed annotation is denied if it matters.
func TestApplyMalformedAnnotations(t *testing.T) {
	elsewhere := forPods(labelled("app", "kong"), requires("a"))
	testApply(t, map[string]applyCase{
		"migrations": {
			policies: specs{"p": requires("a")}, annotations: annotated{"migrations": "Off"},
			want:   []string{"plugin a", "all Kong containers", "MalformedAnnotation: " + malformedMigrations},
			reason: "a typo must not start a migration",
		},
		"migrations of a pod that gets nothing": {
			policies: specs{"p": allows("a")}, annotations: annotated{"migrations": "Off"},
			reason: "a pod that gets nothing is not denied",
		},
		"inject": {
			policies: specs{"p": requires("a"), "q": requires("b")}, annotations: annotated{"inject": "no"},
			want: []string{
				"plugin a", "plugin b", "all Kong containers", "MalformedAnnotation: " + malformedInject, "denied p q",
			},
			reason: "one denial for both policies",
		},
		"inject of a pod that gets nothing": {
			policies: specs{"p": elsewhere, "q": allows("a")}, annotations: annotated{"inject": "no"},
			reason: "a pod that gets nothing is not denied",
		},
	})
}

// TestApplyLibraries proves rule 6: where each plugin may come from.
func TestApplyLibraries(t *testing.T) {
	testApply(t, map[string]applyCase{
		"no library": {
			policies: specs{"p": requires("a")}, annotations: annotated{"plugins": "b"},
			want: []string{"plugin b", "plugin a", "all Kong containers"},
		},
		"for requests": {
			policies: specs{"p": {Library: "l"}, "q": {Library: "k"}}, annotations: annotated{"plugins": "b"},
			want: []string{"plugin b", "b from k l, only false"},
		},
		"for the plugins of a policy": {
			policies:    specs{"p": from("l", requires("a")), "q": {Library: "k"}},
			annotations: annotated{"plugins": "b"},
			want: []string{
				"plugin b", "plugin a", "all Kong containers", "a from l, only true", "b from k l, only false",
			},
			reason: "a plugin in the pod's namespace must not replace the platform team's",
		},
		"a request for the plugin of a policy": {
			policies: specs{"p": from("l", requires("a"))}, annotations: annotated{"plugins": "a"},
			want:   []string{"plugin a", "all Kong containers", "a from l, only true"},
			reason: "the annotation does not change the origin",
		},
		"two libraries": {
			policies: specs{"p": from("l", requires("a")), "q": from("k", requires("a")), "r": from("l", requires("a"))},
			want:     []string{"plugin a", "all Kong containers", "a from k l, only true"},
		},
		"a second policy without a library": {
			policies: specs{"p": from("l", requires("a")), "q": requires("a", "b")},
			want: []string{
				"plugin a", "plugin b", "all Kong containers", "a from l, only true", "b from l, only false",
			},
		},
		"opted out": {
			policies: specs{"p": from("l", requires("a"))}, annotations: annotated{"plugins": "a", "inject": "false"},
			want:   []string{"plugin a", "opted_out p", "a from l, only false"},
			reason: "only the annotation requires the plugin",
		},
	})
}
