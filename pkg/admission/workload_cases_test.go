package admission

import admissionv1 "k8s.io/api/admission/v1"

// spec is that of a pod template in which the plugin "dao-test" can be injected.
const spec = `spec: {containers: [{name: proxy, image: "kong:3.9"}]}`

// workloadTest is a workload as YAML, before and after an update and after the
// webhook; all of one kind.
type workloadTest struct {
	reason string
	// old is "" for a new workload, want "" for one that stays as it is.
	object, old, want string
	operation         admissionv1.Operation
	result            result
	warnings          []string
	dryRun            bool
}

func workloadTests() map[string]workloadTest {
	const plugins = "kongdao.io/plugins"
	return map[string]workloadTest{
		"asks for nothing": {object: `{metadata: {annotations: {a: b}}, spec: {template: {` + spec + `}}}`, result: resultIgnored},
		"template without metadata": {
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"template with empty metadata": {
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {}, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"template whose metadata is null": {
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: null, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"template without annotations": {
			reason: "an API server writes the time of creation, null; labels stay",
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {creationTimestamp: null, labels: {a: b}}, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {creationTimestamp: null, labels: {a: b}, annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"template with others' annotations": {
			reason: "others' annotations stay, and only both of ours are carried",
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test, kongdao.io/containers: proxy, x: y}}, spec: {template: {metadata: {annotations: {a: b}}, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test, kongdao.io/containers: proxy, x: y}}, spec: {template: {metadata: {annotations: {a: b, kongdao.io/plugins: dao-test, kongdao.io/containers: proxy}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"template has it": {
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultUnchanged,
		},
		"template alone": {
			reason: "what stands in the template alone is its author's, also when it changed",
			object: `{spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			old:    `{spec: {template: {metadata: {annotations: {kongdao.io/plugins: other}}, ` + spec + `}}}`,
			result: resultUnchanged,
		},
		"removed": {
			object: `{spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test, a: b}}, ` + spec + `}}}`,
			old:    `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test, a: b}}, ` + spec + `}}}`,
			want:   `{spec: {template: {metadata: {annotations: {a: b}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"removed, and the template changed": {
			reason: "the template says something of its own now",
			object: `{spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			old:    `{metadata: {annotations: {kongdao.io/plugins: other}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: other}}, ` + spec + `}}}`,
			result: resultUnchanged,
		},
		"one removed, one set": {
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/containers: proxy}}, ` + spec + `}}}`,
			old:    `{metadata: {annotations: {kongdao.io/containers: proxy}}, spec: {template: {metadata: {annotations: {kongdao.io/containers: proxy}}, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"changed": {
			reason: "what was carried is replaced without a warning",
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: other}}, ` + spec + `}}}`,
			old:    `{metadata: {annotations: {kongdao.io/plugins: other}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: other}}, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"emptied": {
			reason: "an empty value is a value: it asks for nothing, in the pods too",
			object: `{metadata: {annotations: {kongdao.io/plugins: ""}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			old:    `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: ""}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: ""}}, ` + spec + `}}}`,
			result: resultInjected,
		},
		"overruled": {
			reason: "what was written into the template by hand is lost, and its author told",
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: other}}, ` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected, warnings: []string{`the pod template's annotation kongdao.io/plugins changes from "other" to "dao-test", the value of the KIND; change it on the KIND`},
		},
		"will be denied": {
			reason: "the person typing hears what nobody would see later, and keeps the annotation",
			object: `{metadata: {annotations: {kongdao.io/plugins: unknown}}, spec: {template: {` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: unknown}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: unknown}}, ` + spec + `}}}`,
			result: resultDenied, warnings: []string{`the pods of this KIND will be denied: plugin "unknown": no ConfigMap in namespace "kong"`},
		},
		"will be warned": {
			object: `{metadata: {annotations: {kongdao.io/plugins: mutable}}, spec: {template: {` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: mutable}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: mutable}}, ` + spec + `}}}`,
			result: resultInjected, warnings: []string{`ConfigMap "mutable" is not immutable`},
		},
		"dry run": {
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {` + spec + `}}}`,
			want:   `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
			result: resultInjected, dryRun: true,
		},
		"DELETE": {
			reason: "there is nothing to carry into", operation: admissionv1.Delete, result: resultIgnored,
			old: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {metadata: {annotations: {kongdao.io/plugins: dao-test}}, ` + spec + `}}}`,
		},
		"no template": {
			reason: "a patch that cannot be applied would deny the workload",
			object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {replicas: 1}}`, result: resultIgnored,
		},
		"template null": {object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: null}}`, result: resultIgnored},
		"no spec":       {object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}}`, result: resultIgnored},
		"malformed": {
			object: `{metadata: {annotations: {kongdao.io/plugins: 1}}}`, result: resultMalformed,
			warnings: []string{`kongdao cannot read this KIND and leaves it alone: at "/metadata/annotations/kongdao.io~1plugins": found number instead of a string`},
		},
		"malformed template": {
			object: `{spec: {template: {spec: {containers: {}}}}}`, result: resultMalformed,
			warnings: []string{`kongdao cannot read this KIND and leaves it alone: at "/spec/template/spec/containers": found { instead of an array`},
		},
		"malformed before": {
			object: `{metadata: {annotations: {` + plugins + `: dao-test}}, spec: {template: {}}}`, old: `[]`, result: resultMalformed,
			warnings: []string{`kongdao cannot read what this KIND was and leaves it alone: at "": found [ instead of an object`},
		},
	}
}
