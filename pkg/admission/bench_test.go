package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/test/configmaps"
	"kongdao.io/kongdao/test/goldens"
)

// discardingWriter is a response writer that discards everything.
type discardingWriter struct{ header http.Header }

func (d *discardingWriter) Header() http.Header {
	if d.header == nil {
		d.header = http.Header{}
	}
	return d.header
}
func (*discardingWriter) Write(body []byte) (int, error) { return len(body), nil }
func (*discardingWriter) WriteHeader(int)                {}

// quietPods returns a handler for pods that logs nothing.
func quietPods(t testing.TB, cluster *Cluster) *Pods {
	t.Helper()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return &Pods{Cluster: cluster, Metrics: metrics, Events: events.NewRecorder(&fakeEvents{}), Log: logr.Discard()}
}

// chartReview returns the review of a pod of Kong's chart, with the fields that an API server and its admission plugins
// add before they call a webhook.
func chartReview(t testing.TB, c goldens.Case) []byte {
	t.Helper()
	var pod corev1.Pod
	if err := json.Unmarshal(c.Pod, &pod); err != nil {
		t.Fatal(err)
	}
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("status"),
				Scheme: corev1.URISchemeHTTP}},
			TimeoutSeconds: 5, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3, InitialDelaySeconds: 5,
		}
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			container := &containers[i]
			container.TerminationMessagePath, container.TerminationMessagePolicy = "/dev/termination-log",
				corev1.TerminationMessageReadFile
			container.Resources.Requests = corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("512Mi"),
			}
			container.LivenessProbe, container.ReadinessProbe = probe("/status"), probe("/status/ready")
			quit := &corev1.ExecAction{Command: []string{"kong", "quit", "--wait=15"}}
			container.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: quit}}
			container.Ports = []corev1.ContainerPort{
				{Name: "proxy", ContainerPort: 8000, Protocol: "TCP"}, {Name: "status", ContainerPort: 8100, Protocol: "TCP"},
			}
		}
	}
	for _, taint := range []string{"not-ready", "unreachable"} {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
			Key: "node.kubernetes.io/" + taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
			TolerationSeconds: new(int64(300)),
		})
	}
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return podReviewOf(t, text, c.Namespace)
}

// BenchmarkPods measures an admission of a pod of Kong's chart, without HTTP and TLS. For comparison, it also measures
// a handler of controller-runtime that decodes no pod and allows everything. Releases of other plugins must cost
// nothing.
func BenchmarkPods(b *testing.B) {
	c := goldenCase(b, chartCase)
	body := chartReview(b, c)
	handlers := map[string]http.Handler{
		"controller-runtime/allow": &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context,
			admission.Request) admission.Response {
			return admission.Allowed("")
		})},
	}
	for _, releases := range []int{10, 10_000} {
		sources := slices.Clone(c.Sources)
		for i := range releases - 1 {
			name := fmt.Sprintf("plugin-%d", i)
			sources = append(sources, configmaps.Source(fmt.Sprintf("namespace-%d", i%100), name, name))
		}
		handlers[fmt.Sprintf("kongdao/releases=%d", releases)] = quietPods(b, cached(sources...))
	}
	for _, name := range []string{"kongdao/releases=10", "kongdao/releases=10000", "controller-runtime/allow"} {
		b.Run(name, func(b *testing.B) {
			recorded := httptest.NewRecorder()
			handlers[name].ServeHTTP(recorded, newRequest(body))
			if response := parse(b, recorded.Body.Bytes()); !response.Allowed ||
				(len(response.Patch) > 0) != strings.HasPrefix(name, "kongdao") {
				b.Fatalf("got response %s", recorded.Body)
			}
			measure(b, handlers[name], body)
		})
	}
}

// BenchmarkPinnedPods compares a pod whose template has a pin to one that requests the version. There are ten releases.
func BenchmarkPinnedPods(b *testing.B) {
	c := goldenCase(b, chartCase)
	var sources []*corev1.ConfigMap
	for i := range 10 {
		source := configmaps.Source(c.Namespace, fmt.Sprintf("release-%d", i), "dao-test")
		sources = append(sources, configmaps.Versioned(source, fmt.Sprintf("1.%d.0", i)))
	}
	for _, name := range []string{"version", "pin"} {
		request := `"kongdao.io/plugins":"dao-test@1.5.0"`
		if name == "pin" {
			request = `"kongdao.io/plugins":"dao-test","kongdao.io/releases":"dao-test@1.5.0"`
		}
		requesting := c
		requesting.Pod = bytes.ReplaceAll(c.Pod, []byte(`"kongdao.io/plugins":"dao-test"`), []byte(request))
		body, handler := chartReview(b, requesting), quietPods(b, cached(sources...))
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, newRequest(body))
		if response := parse(b, recorded.Body.Bytes()); !response.Allowed ||
			!strings.HasPrefix(response.AuditAnnotations["releases"], "dao-test@1.5.0 ") {
			b.Fatalf("got response %s", recorded.Body)
		}
		b.Run(name, func(b *testing.B) { measure(b, handler, body) })
	}
}

// BenchmarkLibrary measures an admission of a pod that gets a plugin with 20 files from a library. Other versions in
// the library must cost almost nothing.
func BenchmarkLibrary(b *testing.B) {
	c := goldenCase(b, chartCase)
	body := chartReview(b, c)
	required := v1alpha1.PolicyPlugin{Name: "dao-test", Version: "1.0.0"}
	compiled, err := policy.Compile(&v1alpha1.PluginPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "library"},
		Spec:       v1alpha1.PluginPolicySpec{Library: "plugins", Plugins: []v1alpha1.PolicyPlugin{required}},
	})
	if err != nil {
		b.Fatal(err)
	}
	index := &policy.Index{}
	index.Put(compiled)
	for _, versions := range []int{1, 200} {
		var sources []*corev1.ConfigMap
		for i := range versions {
			source := configmaps.Source("plugins", fmt.Sprintf("dao-test-%d", i), "dao-test")
			for file := range 18 {
				source.Data[fmt.Sprintf("file-%d.lua", file)] = "return {}"
			}
			sources = append(sources, configmaps.Versioned(source, fmt.Sprintf("1.0.%d", i)))
		}
		handler := quietPods(b, cached(sources...))
		handler.Cluster.Policies = &clusterstate.NamespacePolicies{Index: index, Namespaces: fakeLabels{}}
		b.Run(fmt.Sprintf("versions=%d", versions), func(b *testing.B) {
			recorded := httptest.NewRecorder()
			handler.ServeHTTP(recorded, newRequest(body))
			if response := parse(b, recorded.Body.Bytes()); !strings.Contains(string(response.Patch), "kongdao-copy-") {
				b.Fatalf("got response %s", recorded.Body)
			}
			measure(b, handler, body)
		})
	}
}

// measure lets a handler answer the same review in a loop.
func measure(b *testing.B, handler http.Handler, body []byte) {
	b.Helper()
	request := newRequest(nil)
	request.ContentLength = int64(len(body))
	reader := bytes.NewReader(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		reader.Reset(body)
		request.Body = io.NopCloser(reader)
		handler.ServeHTTP(&discardingWriter{}, request)
	}
}
