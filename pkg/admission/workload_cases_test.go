package admission

import admissionv1 "k8s.io/api/admission/v1"

// spec is the spec of a pod template that the plugin "dao-test" can be injected into.
const spec = `spec: {containers: [{name: proxy, image: "kong:3.9"}]}`

const (
	daoTest = `kongdao.io/plugins: dao-test`
	other   = `kongdao.io/plugins: other`
	none    = ""
	// pinned is what a template has after its request was resolved to a release without a version.
	pinned = daoTest + `, kongdao.io/releases: dao-test`
)

// workloadYAML returns a workload with annotations, and with a pod template that has some metadata. Both can be none.
func workloadYAML(annotations, templateMetadata string) string {
	metadata := none
	if annotations != none {
		metadata = `metadata: ` + annotated(annotations) + `, `
	}
	template := spec
	if templateMetadata != none {
		template = `metadata: ` + templateMetadata + `, ` + spec
	}
	return `{` + metadata + `spec: {template: {` + template + `}}}`
}

// annotated returns metadata with annotations.
func annotated(annotations string) string { return `{annotations: {` + annotations + `}}` }

// workloadTest is a workload in YAML, before and after an update and after the webhook. It applies to every kind. In
// warnings, KIND stands for the kind.
type workloadTest struct {
	reason string
	// old is "" for a new workload. want is "" for a workload that does not change.
	object, old, want string
	operation         admissionv1.Operation
	result            result
	warnings          []string
	dryRun            bool
}

func workloadTests() map[string]workloadTest {
	return map[string]workloadTest{
		"no request": {object: workloadYAML(`a: b`, none), result: resultIgnored},
		"template without metadata": {
			object: workloadYAML(daoTest, none),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected,
		},
		"automatic rollouts": {
			reason: "the chart does not enable them, and nothing else says so",
			object: workloadYAML(daoTest+`, kongdao.io/rollout: auto`, annotated(pinned)),
			result: resultUnchanged,
			warnings: []string{"annotation kongdao.io/rollout has no effect: set rollouts.enabled to true in kongdao's chart, " +
				`or move the workload with "kubectl kongdao upgrade"`},
		},
		"automatic rollouts since before": {
			reason: "the warning was given once",
			old:    workloadYAML(daoTest+`, kongdao.io/rollout: auto`, annotated(pinned)),
			object: workloadYAML(daoTest+`, kongdao.io/rollout: auto`, annotated(pinned)),
			result: resultUnchanged,
		},
		"releases of a workload": {
			reason:   "the annotation belongs in the template",
			object:   workloadYAML(daoTest+`, kongdao.io/releases: dao-test@1.0.0`, annotated(pinned)),
			result:   resultUnchanged,
			warnings: []string{"annotation kongdao.io/releases has no effect on a KIND, only in its pod template"},
		},
		"malformed rollout": {
			reason:   "a typo",
			object:   workloadYAML(daoTest+`, kongdao.io/rollout: "yes"`, annotated(pinned)),
			result:   resultUnchanged,
			warnings: []string{`annotation kongdao.io/rollout: the value is "yes"; use "auto" or "manual"`},
		},
		"template with empty metadata": {
			object: workloadYAML(daoTest, `{}`),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected,
		},
		"template with metadata null": {
			object: workloadYAML(daoTest, `null`),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected,
		},
		"template without annotations": {
			reason: "an API server writes creationTimestamp null; labels stay",
			object: workloadYAML(daoTest, `{creationTimestamp: null, labels: {a: b}}`),
			want: workloadYAML(daoTest,
				`{creationTimestamp: null, labels: {a: b}, annotations: {`+pinned+`}}`),
			result: resultInjected,
		},
		"template with other annotations": {
			reason: "other annotations stay, and only kongdao's are propagated",
			object: workloadYAML(`kongdao.io/plugins: dao-test, kongdao.io/containers: proxy, x: y`, annotated(`a: b`)),
			want: workloadYAML(`kongdao.io/plugins: dao-test, kongdao.io/containers: proxy, x: y`,
				annotated(`a: b, kongdao.io/plugins: dao-test, kongdao.io/containers: proxy, kongdao.io/releases: dao-test`)),
			result: resultInjected,
		},
		"already propagated": {
			object: workloadYAML(daoTest, annotated(daoTest)),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected,
		},
		"only in the template": {
			reason: "an annotation that only the template has stays, even after a change",
			object: workloadYAML(none, annotated(daoTest)),
			old:    workloadYAML(none, annotated(other)),
			want:   workloadYAML(none, annotated(pinned)),
			result: resultInjected,
		},
		"removed": {
			object: workloadYAML(none, annotated(`kongdao.io/plugins: dao-test, a: b`)),
			old:    workloadYAML(daoTest, annotated(`kongdao.io/plugins: dao-test, a: b`)),
			want:   workloadYAML(none, annotated(`a: b`)),
			result: resultInjected,
		},
		"removed, and changed in the template": {
			reason: "the template has a value that was not propagated",
			object: workloadYAML(none, annotated(daoTest)),
			old:    workloadYAML(other, annotated(other)),
			want:   workloadYAML(none, annotated(pinned)),
			result: resultInjected,
		},
		"one removed, one set": {
			object: workloadYAML(daoTest, annotated(`kongdao.io/containers: proxy`)),
			old:    workloadYAML(`kongdao.io/containers: proxy`, annotated(`kongdao.io/containers: proxy`)),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected,
		},
		"changed": {
			reason: "a propagated value is replaced without a warning",
			object: workloadYAML(daoTest, annotated(other)),
			old:    workloadYAML(other, annotated(other)),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected,
		},
		"emptied": {
			reason: "an empty value requests nothing, and is propagated too",
			object: workloadYAML(`kongdao.io/plugins: ""`, annotated(daoTest)),
			old:    workloadYAML(daoTest, annotated(daoTest)),
			want:   workloadYAML(`kongdao.io/plugins: ""`, annotated(`kongdao.io/plugins: ""`)),
			result: resultInjected,
		},
		"overridden": {
			reason: "the workload overrides the template's value, with a warning",
			object: workloadYAML(daoTest, annotated(other)),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected,
			warnings: []string{`the pod template's annotation kongdao.io/plugins changes from "other" to "dao-test", the ` +
				`value of the KIND; change it on the KIND`},
		},
		"pods will be denied": {
			reason:   "the warning appears now, because no person would see the denial later",
			object:   workloadYAML(`kongdao.io/plugins: unknown`, none),
			want:     workloadYAML(`kongdao.io/plugins: unknown`, annotated(`kongdao.io/plugins: unknown`)),
			result:   resultDenied,
			warnings: []string{`the pods of this KIND will be denied: plugin "unknown": no ConfigMap in namespace "kong"`},
		},
		"pods will get a warning": {
			object: workloadYAML(`kongdao.io/plugins: mutable`, none),
			want: workloadYAML(`kongdao.io/plugins: mutable`,
				annotated(`kongdao.io/plugins: mutable, kongdao.io/releases: mutable`)),
			result: resultInjected, warnings: []string{`ConfigMap "mutable" is not immutable`},
		},
		"dry run": {
			object: workloadYAML(daoTest, none),
			want:   workloadYAML(daoTest, annotated(pinned)),
			result: resultInjected, dryRun: true,
		},
		"DELETE": {
			reason: "there is no new object", operation: admissionv1.Delete, result: resultIgnored,
			old: workloadYAML(daoTest, annotated(daoTest)),
		},
		"no template": {
			reason: "the API server would deny a patch that it cannot apply",
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {replicas: 1}}`, result: resultIgnored,
		},
		"template null": {object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: null}}`,
			result: resultIgnored},
		"no spec": {object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}}`, result: resultIgnored},
		"malformed": {
			object: `{metadata: {annotations: {kongdao.io/plugins: 1}}}`, result: resultMalformed,
			warnings: []string{`kongdao cannot read this KIND and does not change it: at ` +
				`"/metadata/annotations/kongdao.io~1plugins": found number instead of a string`},
		},
		"malformed template": {
			object: `{spec: {template: {spec: {containers: {}}}}}`, result: resultMalformed,
			warnings: []string{`kongdao cannot read this KIND and does not change it: at "/spec/template/spec/containers": ` +
				`found { instead of an array`},
		},
		"malformed old object": {
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {}}}`, old: `[]`,
			result: resultMalformed,
			warnings: []string{`kongdao cannot read the old version of this KIND and does not change it: at "": found [ ` +
				`instead of an object`},
		},
	}
}
