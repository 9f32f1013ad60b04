package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/configmaps"
)

// TestWorkloads checks how annotations are propagated to pod templates, and the warnings. No workload is denied.
func TestWorkloads(t *testing.T) {
	mutable := configmaps.Source("kong", "mutable", "mutable")
	mutable.Immutable = nil
	cluster := cached(configmaps.Source("kong", "a", "dao-test"), mutable)
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		for name, test := range workloadTests() {
			t.Run(kind+"/"+name, func(t *testing.T) {
				h := newHarness(t, cluster)
				request := workloadRequest(t, kind, test)
				got := h.handle(t, request)
				object, want := asYAML(t, patched(t, request.Object.Raw, got.Patch)), test.want
				if want == "" {
					want = test.object
				}
				if diff := cmp.Diff(asYAML(t, toJSON(t, want)), object); diff != "" {
					t.Errorf("%s (-want +got)\n%s", test.reason, diff)
				}
				if !slices.EqualFunc(got.Warnings, test.warnings, func(got, want string) bool {
					return strings.Contains(got, strings.ReplaceAll(want, "KIND", kind))
				}) {
					t.Errorf("got warnings %q, want %q", got.Warnings, test.warnings)
				}
				if len(h.log.lines) != 1 || h.log.lines[0]["result"] != string(test.result) ||
					h.log.lines[0]["dryRun"] != test.dryRun {
					t.Errorf("logged %s", h.log.all())
				}
			})
		}
	}
}

// TestFailuresDoNotDenyWorkloads checks that a failure gives a warning instead of a denial.
func TestFailuresDoNotDenyWorkloads(t *testing.T) {
	for name, test := range map[string]struct {
		fail    func(context.Context) error
		object  string
		patched bool
		warning string
	}{
		"live read fails": {
			fail: func(context.Context) error { return errors.New("etcd is away") }, patched: true,
			warning: "kongdao cannot check whether the pods can have what they request: read the ConfigMaps",
		},
		"panic": {
			fail: func(context.Context) error { panic("unexpected") },
			warning: "kongdao had an internal error and did not change this object; see the log of its webhook, and " +
				"please report it",
		},
		"malformed JSON": {object: `{"metadata":`,
			warning: "kongdao cannot read this Deployment and does not change it: jsontext: unexpected EOF"},
		"no object": {object: ``, warning: ""},
	} {
		t.Run(name, func(t *testing.T) {
			request := workloadRequest(t, "Deployment", workloadTest{
				object: `{metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {` + spec + `}}}`,
			})
			if test.fail == nil {
				request.Object.Raw = []byte(test.object)
			}
			h := newHarness(t, uncached(&fakeReader{fail: test.fail}))
			got := h.handle(t, request)
			if (len(got.Patch) > 0) != test.patched || !strings.Contains(strings.Join(got.Warnings, "\n"), test.warning) {
				t.Errorf("got patch %s and warnings %q", got.Patch, got.Warnings)
			}
		})
	}
}

// TestWorkloadGetsWarningsOfPods checks that a workload gets exactly the warnings and the denial of its pods, as
// warnings.
func TestWorkloadGetsWarningsOfPods(t *testing.T) {
	for _, name := range []string{chartCase, "broken-no-schema", "mutable", "mode-dbless"} {
		t.Run(name, func(t *testing.T) {
			c := goldenCase(t, name)
			var template corev1.PodTemplateSpec
			if err := json.Unmarshal(c.Pod, &template); err != nil {
				t.Fatal(err)
			}
			object, err := json.Marshal(map[string]any{"spec": map[string]any{"template": template}})
			if err != nil {
				t.Fatal(err)
			}
			cluster := cached(c.Sources...)
			cluster.Live = &fakeReader{configMaps: c.Sources}
			pod := newHarness(t, cluster).post(t, podReviewOf(t, c.Pod, c.Namespace))
			want := pod.response.Warnings
			if !pod.response.Allowed {
				want = []string{"the pods of this Deployment will be denied: " + pod.message()}
			}
			request := workloadRequest(t, "Deployment", workloadTest{object: "{}"})
			request.Object.Raw, request.Namespace = object, c.Namespace
			if diff := cmp.Diff(want, newHarness(t, cluster).handle(t, request).Warnings); diff != "" {
				t.Errorf("the warnings differ (-pods +workload)\n%s", diff)
			}
		})
	}
}

func workloadRequest(t *testing.T, kind string, test workloadTest) admission.Request {
	t.Helper()
	operation := test.operation
	if operation == "" {
		operation = admissionv1.Create
		if test.old != "" {
			operation = admissionv1.Update
		}
	}
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "7-7-7", Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: kind}, Operation: operation,
		Namespace: "kong", Name: "kong", DryRun: new(test.dryRun),
		Object: runtime.RawExtension{Raw: toJSON(t, test.object)}, OldObject: runtime.RawExtension{Raw: toJSON(t, test.old)},
	}}
}

// handle calls the handler for workloads through controller-runtime, as the process does. It checks what every response
// must have.
func (h *harness) handle(t testing.TB, request admission.Request) admission.Response {
	t.Helper()
	response := (&admission.Webhook{Handler: h.workloads.reviewer()}).Handle(t.Context(), request)
	if !response.Allowed || response.UID != request.UID {
		t.Errorf("denied: %+v", response)
	}
	if (len(response.Patch) > 0) != (response.PatchType != nil) {
		t.Errorf("the response has a patch without type, or a type without patch: %+v", response)
	}
	return response
}

func toJSON(t testing.TB, text string) []byte {
	t.Helper()
	if text == "" {
		return nil
	}
	object, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func asYAML(t testing.TB, object []byte) string {
	t.Helper()
	text, err := yaml.JSONToYAML(object)
	if err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, object))
	}
	return string(text)
}

// TestShortProgressDeadline checks that a Deployment gets a warning if tools would report a migration as a failed
// rollout.
func TestShortProgressDeadline(t *testing.T) {
	const kong = `{name: proxy, image: "kong:3.9", env: [{name: KONG_PG_HOST, value: pg}]}`
	for name, test := range map[string]struct {
		deadline, annotations string
		want                  bool
	}{
		"short":         {"60", daoTest, true},
		"default":       {"600", daoTest, false},
		"none":          {"null", daoTest, false},
		"no migrations": {"60", other, false},
		"off":           {"60", daoTest + `, kongdao.io/migrations: "off"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, cached(migratingSource(), configmaps.Source("kong", "b", "other")))
			h.cluster.Migrations = &fakeMigrations{}
			object := `{metadata: ` + annotated(test.annotations) + `, spec: {progressDeadlineSeconds: ` + test.deadline +
				`, template: {spec: {containers: [` + kong + `]}}}}`
			got := h.handle(t, workloadRequest(t, "Deployment", workloadTest{object: object}))
			warnings := strings.Join(got.Warnings, "\n")
			if strings.Contains(warnings, "progressDeadlineSeconds is 60") != test.want {
				t.Errorf("got warnings %q, want one about the deadline: %t", warnings, test.want)
			}
		})
	}
}
