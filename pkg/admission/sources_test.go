package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/test/configmaps"
)

// release returns the source "a-VERSION" of plugin "a".
func release(namespace, version string) *corev1.ConfigMap {
	return configmaps.Versioned(configmaps.Source(namespace, "a-"+version, "a"), version)
}

// kongTemplate returns a pod template with annotations.
func kongTemplate(podAnnotations map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: podAnnotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
	}
}

func pinnedTo(release string) map[string]string {
	return map[string]string{annotations.Plugins: "a", annotations.Releases: release}
}

func deployment(namespace, name string, podAnnotations map[string]string) client.Object {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       appsv1.DeploymentSpec{Template: kongTemplate(podAnnotations)},
	}
}

// podWith returns a pod with a release of plugin "a".
func podWith(t *testing.T, namespace, version, library string) client.Object {
	t.Helper()
	record, err := json.Marshal(mutate.InjectionRecord{Releases: []mutate.ReleaseRecord{
		{Plugin: "a", Version: version, Library: library},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: "pod", Labels: map[string]string{annotations.Injected: "true"},
		Annotations: map[string]string{annotations.InjectionRecord: string(record)},
	}}
}

// sourcesTest deletes the source "a-1.0.0" in namespace "kong".
type sourcesTest struct {
	reason   string
	objects  []client.Object
	sources  []*corev1.ConfigMap // in addition to the deleted one
	policies []v1alpha1.PluginPolicySpec
	deleted  *corev1.ConfigMap // the default is a-1.0.0
	want     []string
	result   result
}

const (
	deniedWarning = `release "a@1.0.0": without this ConfigMap, new pods of %s are denied; create it again, or move ` +
		`them to another release`
	podsWarning = `release "a@1.0.0": pods run with it and continue: %s`
)

func sourcesTests(t *testing.T) map[string]sourcesTest {
	warn := func(format, users string) string { return fmt.Sprintf(format, users) }
	fromLibrary := []v1alpha1.PluginPolicySpec{{Library: "kong"}}
	return map[string]sourcesTest{
		"nothing uses it": {
			reason:  "the template names another release",
			objects: []client.Object{deployment("kong", "kong", pinnedTo("a@2.0.0")), podWith(t, "kong", "2.0.0", "")},
			sources: []*corev1.ConfigMap{release("kong", "2.0.0")}, result: resultIgnored,
		},
		"pins": {
			reason: "each kind of workload has pins, also without running pods",
			objects: []client.Object{
				deployment("kong", "kong", pinnedTo("a@1.0.0")),
				&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "kong"},
					Spec: appsv1.StatefulSetSpec{Template: kongTemplate(pinnedTo("a@1.0.0"))}},
				&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "kong"},
					Spec: appsv1.DaemonSetSpec{Template: kongTemplate(pinnedTo("a@1.0.0"))}},
				deployment("other", "kong", pinnedTo("a@1.0.0")),
			},
			sources: []*corev1.ConfigMap{release("kong", "2.0.0"), release("other", "1.0.0")},
			want:    []string{warn(deniedWarning, `DaemonSet "kong/kong", Deployment "kong/kong", StatefulSet "kong/kong"`)},
			result:  resultWarned,
		},
		"many workloads": {
			reason: "a warning has a limit",
			objects: []client.Object{
				deployment("kong", "a", pinnedTo("a@1.0.0")), deployment("kong", "b", pinnedTo("a@1.0.0")),
				deployment("kong", "c", pinnedTo("a@1.0.0")), deployment("kong", "d", pinnedTo("a@1.0.0")),
				deployment("kong", "e", pinnedTo("a@1.0.0")),
			},
			want: []string{
				warn(deniedWarning, `Deployment "kong/a", Deployment "kong/b", Deployment "kong/c" and 2 more`)},
			result: resultWarned,
		},
		"requested version": {
			reason:  "the annotation names the version",
			objects: []client.Object{deployment("kong", "kong", map[string]string{annotations.Plugins: "a@1.0.0"})},
			sources: []*corev1.ConfigMap{release("kong", "2.0.0")},
			want:    []string{warn(deniedWarning, `Deployment "kong/kong"`)}, result: resultWarned,
		},
		"only release": {
			reason:  "without it, there is no release to choose",
			objects: []client.Object{deployment("kong", "kong", map[string]string{annotations.Plugins: "a"})},
			want:    []string{warn(deniedWarning, `Deployment "kong/kong"`)}, result: resultWarned,
		},
		"pods": {
			reason: "a policy without a version gives later pods another release, so new pods are not denied",
			objects: []client.Object{
				deployment("kong", "kong", nil), podWith(t, "kong", "1.0.0", ""), podWith(t, "other", "1.0.0", ""),
			},
			sources:  []*corev1.ConfigMap{release("kong", "0.9.0")},
			policies: []v1alpha1.PluginPolicySpec{{Plugins: []v1alpha1.PolicyPlugin{{Name: "a"}}}},
			want:     []string{warn(podsWarning, `Pod "kong/pod"`)}, result: resultWarned,
		},
		"library": {
			reason:   "other namespaces use the library's releases",
			policies: fromLibrary,
			objects: []client.Object{
				deployment("shop", "kong", pinnedTo("a@1.0.0")), podWith(t, "shop", "1.0.0", "kong"),
				podWith(t, "bank", "1.0.0", ""),
			},
			want:   []string{warn(deniedWarning, `Deployment "shop/kong"`), warn(podsWarning, `Pod "shop/pod"`)},
			result: resultWarned,
		},
		"hidden by a library": {
			reason:   "the plugin comes from the library, so the source of the pod's own namespace is unused",
			policies: []v1alpha1.PluginPolicySpec{{Library: "library"}},
			objects:  []client.Object{deployment("kong", "kong", pinnedTo("a@1.0.0"))},
			sources:  []*corev1.ConfigMap{release("library", "1.0.0")}, result: resultIgnored,
		},
		"already denied": {
			reason:  "the workload needs something else first",
			objects: []client.Object{deployment("kong", "kong", map[string]string{annotations.Plugins: "a@1.0.0, b"})},
			result:  resultIgnored,
		},
		"not a source": {
			reason:  "the label was removed",
			objects: []client.Object{deployment("kong", "kong", pinnedTo("a@1.0.0"))},
			deleted: &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "a-1.0.0"}},
			result:  resultIgnored,
		},
	}
}

// TestSources checks the warnings at the deletion of a source. No deletion is denied.
func TestSources(t *testing.T) {
	for name, test := range sourcesTests(t) {
		t.Run(name, func(t *testing.T) {
			deleted := release("kong", "1.0.0")
			cluster := cached(append(test.sources, deleted)...)
			cluster.Live = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(test.objects...).Build()
			cluster.Policies = policiesOf(t, test.policies)
			if test.deleted != nil {
				deleted = test.deleted
			}
			h := newHarness(t, cluster)
			response := h.delete(t, deleted)
			if diff := cmp.Diff(test.want, response.Warnings); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
			want := map[string]float64{"endpoint=sources reason= result=" + string(test.result): 1}
			if diff := cmp.Diff(want, h.counts(t, "kongdao_admissions_total")); diff != "" {
				t.Errorf("counted (-want +got)\n%s", diff)
			}
		})
	}
}

// TestFailuresDoNotDenyDeletions checks that a failure gives a warning instead of a denial.
func TestFailuresDoNotDenyDeletions(t *testing.T) {
	for name, test := range map[string]struct {
		fail func(context.Context) error
		want string
	}{
		"read fails": {func(context.Context) error { return errors.New("etcd is away") },
			`release "a@1.0.0": kongdao cannot check which pods need it: list each Deployment: etcd is away`},
		"panic": {func(context.Context) error { panic("unexpected") },
			"kongdao had an internal error and did not check this ConfigMap; see the log of its webhook, " +
				"and please report it"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, uncached(&fakeReader{fail: test.fail}))
			if diff := cmp.Diff([]string{test.want}, h.delete(t, release("kong", "1.0.0")).Warnings); diff != "" {
				t.Errorf("warnings (-want +got)\n%s", diff)
			}
		})
	}
}

// policiesOf returns policies that select all namespaces.
func policiesOf(t *testing.T, specs []v1alpha1.PluginPolicySpec) *clusterstate.NamespacePolicies {
	t.Helper()
	index := &policy.Index{}
	for _, spec := range specs {
		compiled, err := policy.Compile(&v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: "policy"}, Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		index.Put(compiled)
	}
	return &clusterstate.NamespacePolicies{Index: index, Namespaces: fakeLabels{}}
}

// delete calls the handler for the deletion of a source through controller-runtime, as the process does.
func (h *harness) delete(t *testing.T, source *corev1.ConfigMap) admission.Response {
	t.Helper()
	text, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	handler := &Sources{Cluster: h.cluster, Metrics: h.workloads.Metrics, Log: h.log.logger()}
	response := (&admission.Webhook{Handler: handler.reviewer()}).Handle(t.Context(), admission.Request{
		AdmissionRequest: admissionv1.AdmissionRequest{
			UID: "7-7-7", Kind: metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Operation: admissionv1.Delete,
			Namespace: source.Namespace, Name: source.Name, OldObject: runtime.RawExtension{Raw: text},
		},
	})
	if !response.Allowed || len(response.Patch) > 0 {
		t.Errorf("denied or patched: %+v", response)
	}
	return response
}
