package bench

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/fixtures"
)

// asksForPlugins is the match condition of the webhook for pods.
var asksForPlugins = admissionregistrationv1.MatchCondition{
	Name: "asks-for-plugins", Expression: "'kongdao.io/plugins' in object.metadata.?annotations.orValue({})",
}

// BenchmarkCreatePod measures how long a client waits for the creation of a pod:
//   - none: no webhook is called
//   - not-asking: the matchConditions exclude the pod
//   - noop: a webhook that does nothing is called
//   - label: a webhook with kongdao's match condition sets one label
//   - injected: the plugin is injected into a chart's pod that mounts the plugin's root folder
//   - injected-plain: the plugin is injected into a chart's pod without the plugin, compared to none-plain
//
// Each round creates one pod of each kind, so that changes of the machine's speed affect all kinds.
func BenchmarkCreatePod(b *testing.B) {
	const rounds, warmUpRounds = 600, 20
	kinds, namespaces := podKinds(b)
	defer createConfiguration(b, shared.noop.configuration("/noop", namespaces["noop"]))()
	defer createConfiguration(b, shared.noop.configuration("/label", namespaces["label"], asksForPlugins))()
	seconds := map[string][]float64{}
	b.ResetTimer()
	for round := range rounds + warmUpRounds {
		for _, kind := range kinds {
			start, pod := time.Now(), kind.pod.DeepCopy()
			if err := shared.webhook.Admin.Create(b.Context(), pod); err != nil {
				b.Fatal(err)
			}
			if round < warmUpRounds {
				continue // the API server compiles conditions and opens connections
			}
			seconds[kind.name] = append(seconds[kind.name], time.Since(start).Seconds())
			want := strings.HasPrefix(kind.name, "injected")
			if got := pod.Labels[annotations.Injected] == "true"; got != want {
				b.Fatalf("%s: the pod is injected: %t, want %t", kind.name, got, want)
			}
		}
	}
	b.StopTimer()
	none := median(seconds["none"])
	for _, name := range []string{"not-asking", "noop", "label", "injected"} {
		b.ReportMetric(median(seconds[name])/none, "x-none-"+name)
	}
	b.ReportMetric(median(seconds["injected"])/median(seconds["label"]), "x-label-injected")
	b.ReportMetric(median(seconds["injected-plain"])/median(seconds["none-plain"]), "x-none-injected-plain")
	b.ReportMetric(none*1e3, "ms-none-p50")
	b.ReportMetric(0, "ns/op")
	for _, namespace := range namespaces {
		deletePods(b, namespace)
	}
}

// podKind is a pod of BenchmarkCreatePod.
type podKind struct {
	name string
	pod  *corev1.Pod
}

// podKinds returns the pods of BenchmarkCreatePod, and their namespaces by purpose.
func podKinds(b *testing.B) ([]podKind, map[string]string) {
	b.Helper()
	injected, noop := newNamespace(b, "create"), newNamespace(b, "noop")
	none, label := "kube-system", "kongdao-system" // the namespaceSelector excludes both
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: label}}
	if err := shared.webhook.Admin.Create(b.Context(), namespace); client.IgnoreAlreadyExists(err) != nil {
		b.Fatal(err)
	}
	createSources(b, injected)
	withoutRequest := func(namespace string, values fixtures.ChartValues) *corev1.Pod {
		pod := chartPod(b, namespace, values)
		delete(pod.Annotations, annotations.Plugins)
		return pod
	}
	return []podKind{
		{"none", withoutRequest(none, fixtures.WithMountedPlugin)},
		{"not-asking", withoutRequest(injected, fixtures.WithMountedPlugin)},
		{"noop", withoutRequest(noop, fixtures.WithMountedPlugin)},
		{"label", chartPod(b, label, fixtures.WithMountedPlugin)},
		{"injected", chartPod(b, injected, fixtures.WithMountedPlugin)},
		{"none-plain", withoutRequest(none, fixtures.WithoutPlugin)},
		{"injected-plain", chartPod(b, injected, fixtures.WithoutPlugin)},
	}, map[string]string{"none": none, "injected": injected, "noop": noop, "label": label}
}

// BenchmarkBurst creates 1,000 pods that request the plugin, with several concurrent clients. All pods must be
// injected.
func BenchmarkBurst(b *testing.B) {
	const pods = 1000
	namespace := newNamespace(b, "burst")
	createSources(b, namespace)
	template := chartPod(b, namespace, fixtures.WithoutPlugin)
	seconds := make([]float64, pods)
	var notInjected sync.Map
	b.ResetTimer()
	err := cluster.InParallel(workers, pods, func(i int) error {
		pod, start := template.DeepCopy(), time.Now()
		if err := shared.webhook.Admin.Create(b.Context(), pod); err != nil {
			return err
		}
		seconds[i] = time.Since(start).Seconds()
		if pod.Labels[annotations.Injected] != "true" {
			notInjected.Store(pod.Name, true)
		}
		return nil
	})
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	notInjected.Range(func(name, _ any) bool {
		b.Errorf("pod %s is not injected", name)
		return true
	})
	slices.Sort(seconds)
	b.ReportMetric(seconds[pods*99/100]/seconds[pods/2], "x-p50-p99")
	b.ReportMetric(pods/b.Elapsed().Seconds(), "pods/s")
	b.ReportMetric(0, "ns/op")
	deletePods(b, namespace)
}

func deletePods(b *testing.B, namespace string) {
	b.Helper()
	err := shared.webhook.Admin.DeleteAllOf(
		b.Context(), &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0))
	if err != nil {
		b.Error(err)
	}
}
