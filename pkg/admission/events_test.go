package admission

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/test/configmaps"
)

// TestDenialIsRecordedOnController checks that only the denial of a controller's pod gives an Event, on the controller.
func TestDenialIsRecordedOnController(t *testing.T) {
	const replicaSet = `{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"kong-5d8c7f9b6","uid":"1-2-3",` +
		`"controller":true,"blockOwnerDeletion":true}`
	const owner = `{"apiVersion":"example.com/v1","kind":"Gateway","name":"kong","uid":"4-5-6"}`
	controller := &corev1.ObjectReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: "kong",
		Name: "kong-5d8c7f9b6", UID: "1-2-3"}
	pod := func(plugins, owners string) []byte {
		return []byte(strings.Replace(string(kongPod(plugins)), `"metadata":{`, `"metadata":{"ownerReferences":`+owners+`,`,
			1))
	}
	for name, test := range map[string]struct {
		reason string
		pod    []byte
		edit   func(*admissionv1.AdmissionRequest)
		want   *corev1.ObjectReference
	}{
		"controller": {pod: pod("unknown", "["+replicaSet+"]"), want: controller},
		"controller and owner": {pod: pod("unknown", "["+replicaSet+","+owner+"]"), want: controller,
			reason: "only the controller creates the pod"},
		"owner and controller": {pod: pod("unknown", "["+owner+","+replicaSet+"]"), want: controller},
		"owner":                {pod: pod("unknown", "["+owner+"]"), reason: "the owner does not create pods"},
		"no owners":            {pod: pod("unknown", "null"), reason: "a person sees the response"},
		"injected":             {pod: pod("dao-test", "["+replicaSet+"]")},
		"dry run": {pod: pod("unknown", "["+replicaSet+"]"), reason: "a dry run has no side effects",
			edit: func(r *admissionv1.AdmissionRequest) {
				r.DryRun = new(true)
			}},
		"update": {pod: pod("unknown", "["+replicaSet+"]"),
			edit: func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }},
	} {
		t.Run(name, func(t *testing.T) {
			if test.edit == nil {
				test.edit = func(*admissionv1.AdmissionRequest) {}
			}
			h := newHarness(t, cached(configmaps.Source("kong", "a", "dao-test")))
			got := h.post(t, podReviewOf(t, test.pod, "kong", test.edit))
			var want []event
			if test.want != nil {
				want = []event{{test.want, corev1.EventTypeWarning, "PluginsDenied", "CreatePod", got.message()}}
			}
			if diff := cmp.Diff(want, h.events.events); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
		})
	}
}
