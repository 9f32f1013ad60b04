package bench

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// BenchmarkCreatePod is what one client waits for the creation of a pod: with
// no webhook in the way, with one that its matchConditions keep away, with one
// that does nothing, and with the plugin injected, into
// the chart's pod that mounts the plugin's folder itself, and into one that
// knows nothing of the plugin. One after the other in each
// round, so that all meet the same machine.
func BenchmarkCreatePod(b *testing.B) {
	const rounds = 600
	ctx := b.Context()
	injected, noop := newNamespace(ctx, b, "create"), newNamespace(ctx, b, "noop")
	publish(ctx, b, injected)
	configuration := noopConfiguration("noop", "https://"+shared.noopAddress+"/noop", noop)
	if err := shared.webhook.Admin.Create(ctx, configuration); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := shared.webhook.Admin.Delete(ctx, configuration); err != nil {
			b.Error(err)
		}
	}()
	silent := func(namespace string, chart fixtures.ChartValues) *corev1.Pod {
		pod := chartPod(b, namespace, chart)
		delete(pod.Annotations, annotations.Plugins)
		return pod
	}
	ways := []struct {
		name string
		pod  *corev1.Pod
	}{
		// kube-system is excluded by the namespaceSelector: nothing is asked at all.
		{"none", silent("kube-system", fixtures.WithMountedPlugin)},
		{"not-asking", silent(injected, fixtures.WithMountedPlugin)},
		{"noop", silent(noop, fixtures.WithMountedPlugin)},
		{"injected", chartPod(b, injected, fixtures.WithMountedPlugin)},
		{"none-plain", silent("kube-system", fixtures.WithoutPlugin)},
		{"injected-plain", chartPod(b, injected, fixtures.WithoutPlugin)},
	}
	took := map[string][]float64{}
	b.ResetTimer()
	for round := range rounds + 20 {
		for _, way := range ways {
			began := time.Now()
			pod := create(ctx, b, way.pod)
			if round < 20 {
				continue // the API server compiles conditions and opens connections
			}
			took[way.name] = append(took[way.name], time.Since(began).Seconds())
			if got := pod.Labels[annotations.Injected] == "true"; got != strings.HasPrefix(way.name, "injected") {
				b.Fatalf("a pod that is to be %s is injected: %t", way.name, got)
			}
		}
	}
	b.StopTimer()
	none := median(took["none"])
	for _, way := range []string{"not-asking", "noop", "injected"} {
		b.ReportMetric(median(took[way])/none, "x-none-"+way)
	}
	b.ReportMetric(median(took["injected-plain"])/median(took["none-plain"]), "x-none-injected-plain")
	b.ReportMetric(none*1e3, "ms-none-p50")
	b.ReportMetric(0, "ns/op")
	for _, namespace := range []string{"kube-system", noop, injected} {
		deletePods(ctx, b, namespace)
	}
}

// BenchmarkBurst creates 1,000 pods that ask, from eight clients at once: all
// are injected and none is denied.
func BenchmarkBurst(b *testing.B) {
	const pods = 1000
	ctx := b.Context()
	namespace := newNamespace(ctx, b, "burst")
	publish(ctx, b, namespace)
	wanted := chartPod(b, namespace, fixtures.WithoutPlugin)
	took := make([]float64, pods)
	var denied sync.Map
	b.ResetTimer()
	concurrently(b, pods, func(i int) error {
		pod, began := wanted.DeepCopy(), time.Now()
		if err := shared.webhook.Admin.Create(ctx, pod); err != nil {
			return err
		}
		took[i] = time.Since(began).Seconds()
		if pod.Labels[annotations.Injected] != "true" {
			denied.Store(pod.Name, true)
		}
		return nil
	})
	b.StopTimer()
	denied.Range(func(name, _ any) bool {
		b.Errorf("pod %s is not injected", name)
		return true
	})
	slices.Sort(took)
	b.ReportMetric(took[pods*99/100]/took[pods/2], "x-p50-p99")
	b.ReportMetric(pods/b.Elapsed().Seconds(), "pods/s")
	b.ReportMetric(0, "ns/op")
	deletePods(ctx, b, namespace)
}

func create(ctx context.Context, b *testing.B, wanted *corev1.Pod) *corev1.Pod {
	b.Helper()
	pod := wanted.DeepCopy()
	if err := shared.webhook.Admin.Create(ctx, pod); err != nil {
		b.Fatal(err)
	}
	return pod
}

func deletePods(ctx context.Context, b *testing.B, namespace string) {
	b.Helper()
	if err := shared.webhook.Admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
		b.Error(err)
	}
}
