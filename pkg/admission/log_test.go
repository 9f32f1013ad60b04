package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"kongdao.io/kongdao/test/configmaps"
	"kongdao.io/kongdao/test/reviews"
)

// TestLog checks that every admission writes one log line. Its uid is the key to find the request in the audit log.
func TestLog(t *testing.T) {
	for name, test := range map[string]struct {
		body  []byte
		edit  func(*admissionv1.AdmissionRequest)
		fail  error
		want  line
		error string
	}{
		"injected": {body: kongPod("dao-test"), want: line{"result": "injected", "dryRun": false}},
		"dry run": {body: kongPod("dao-test"), want: line{"result": "injected", "dryRun": true},
			edit: func(r *admissionv1.AdmissionRequest) {
				r.DryRun = new(true)
			}},
		"ignored": {body: kongPod(""), want: line{"result": "ignored"}},
		"denied":  {body: kongPod("a.b"), want: line{"result": "denied", "reason": "MalformedAnnotation"}},
		"failed": {body: kongPod("unknown"), fail: errors.New("etcd is away"), want: line{"result": "failed"},
			error: "etcd is away"},
		"malformed": {
			body: []byte(`{"metadata":{"name":"kong"},"spec":[]}`), want: line{"result": "malformed"},
			error: `at "/request/object/spec"`,
		},
		"generated name": {
			body: []byte(`{"metadata":{"generateName":"kong-5d8c7f9b6-"},"spec":{}}`),
			want: line{"result": "ignored", "name": "kong-5d8c7f9b6-"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.edit == nil {
				test.edit = func(*admissionv1.AdmissionRequest) {}
			}
			cluster := cached(configmaps.Source("kong", "a", "dao-test"))
			cluster.Live = &fakeReader{fail: func(context.Context) error { return test.fail }}
			h := newHarness(t, cluster)
			h.post(t, podReviewOf(t, test.body, "kong", test.edit))
			if len(h.log.lines) != 1 {
				t.Fatalf("logged %s", h.log.all())
			}
			got := h.log.lines[0]
			want := line{"msg": "pod admission", "uid": reviews.UID, "namespace": "kong", "name": "kong"}
			maps.Copy(want, test.want)
			for key, value := range want {
				if got[key] != value {
					t.Errorf("%s is %v, want %v: %s", key, got[key], value, h.log.all())
				}
			}
			if _, timed := got["milliseconds"].(float64); !timed {
				t.Errorf("no duration: %s", h.log.all())
			}
			if text, _ := got["error"].(string); !strings.Contains(text, test.error) || (text == "") != (test.error == "") {
				t.Errorf("got error %q, want %q", text, test.error)
			}
		})
	}
}

// TestSecretsAreNotReported checks that values of variables, which can be passwords, appear in no log, Event, message
// or warning.
func TestSecretsAreNotReported(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	variables := fmt.Sprintf(`[{"name":"KONG_PG_PASSWORD","value":%[1]q},{"name":"KONG_DATABASE","value":"off"},`+
		`{"value":%[1]q,"name":"KONG_PG_USER"},`+
		`{"name":"KONG_PLUGINS","value":"off"}]`, secret)
	pod := func(annotations, env string) []byte {
		return fmt.Appendf(nil,
			`{"metadata":{"annotations":{%s},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"kong",`+
				`"controller":true}]},`+
				`"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":%s}]}}`, annotations, env)
	}
	mutable := configmaps.Source("kong", "a", "dao-test")
	mutable.Immutable = nil
	mutable.Data["daos.lua"], mutable.Data["migrations.init.lua"] = "return {}", "return {}"
	live := &fakeReader{}
	cluster := cached(mutable)
	cluster.Live = live
	h := newHarness(t, cluster)
	check := func(name string, texts ...string) {
		t.Helper()
		texts = append(texts, h.log.all())
		for _, event := range h.events.events {
			texts = append(texts, event.Note)
		}
		for _, text := range texts {
			// A half of a secret must not appear either.
			if strings.Contains(text, secret[:len(secret)/2]) || strings.Contains(text, secret[len(secret)/2:]) {
				t.Fatalf("%s: %s", name, text)
			}
		}
	}
	post := func(name string, body []byte) admissionv1.AdmissionResponse {
		t.Helper()
		got := h.post(t, body)
		check(name, string(got.body), string(got.response.Patch))
		return got.response
	}
	const requested = `"kongdao.io/plugins":"dao-test"`
	if got := post("injected", podReviewOf(t, pod(requested, variables), "kong")); len(got.Patch) == 0 ||
		len(got.Warnings) < 2 {
		t.Errorf("want a patch and two warnings: %+v", got)
	}
	for name, annotations := range map[string]string{
		"denied by the annotation": `"kongdao.io/plugins":"a.b"`,
		"denied by the catalog":    `"kongdao.io/plugins":"unknown"`,
		"denied by the pod":        requested + `,"kongdao.io/containers":"sidecar"`,
		"no request":               `"a":"b"`,
	} {
		post(name, podReviewOf(t, pod(annotations, variables), "kong"))
	}
	if len(h.events.events) != 3 {
		t.Errorf("got %d Events, want 3", len(h.events.events))
	}
	for name, env := range map[string]string{
		"list of strings":   `["` + secret + `"]`,
		"string":            `"` + secret + `"`,
		"value is an array": `[{"name":"KONG_PLUGINS","value":["` + secret + `"]}]`,
		"name is an array":  `[{"name":["` + secret + `"]}]`,
		"invalid escape":    `[{"name":"KONG_PG_PASSWORD","value":"` + secret + `\x"}]`,
	} {
		body := strings.Replace(string(podReviewOf(t, pod(requested, `"ENV"`), "kong")), `"ENV"`, env, 1)
		if got := post(name, []byte(body)); got.Allowed {
			t.Errorf("%s: allowed", name)
		}
	}
	complete := podReviewOf(t, pod(requested, variables), "kong")
	for at := bytes.Index(complete, []byte(secret)); at <= bytes.LastIndex(complete, []byte(secret))+len(secret); at++ {
		post("truncated", complete[:at])
		post("broken", withByte(complete, at, '\n'))
	}
	live.fail = func(context.Context) error { panic("unexpected") }
	post("panic", podReviewOf(t, pod(`"kongdao.io/plugins":"unknown"`, variables), "kong"))
	request := workloadRequest(t, "Deployment", workloadTest{object: "{}"})
	request.Object.Raw = fmt.Appendf(nil, `{"metadata":{"annotations":{%s}},"spec":{"template":%s}}`, requested,
		pod(`"a":"b"`, variables))
	response := h.handle(t, request)
	check("workload", string(response.Patch), strings.Join(response.Warnings, "\n"))
}

// withByte returns a copy of text with one byte changed.
func withByte(text []byte, at int, changed byte) []byte {
	text = bytes.Clone(text)
	text[at] = changed
	return text
}
