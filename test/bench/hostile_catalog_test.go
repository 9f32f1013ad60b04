package bench

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
)

// BenchmarkHostileCatalog measures the maximum of the resident memory at the start while ConfigMaps need much memory.
// There are 80 with 60,000 empty keys each (fact P7: the API server counts only values), and 200 with 1,000 keys of 250
// bytes each.
func BenchmarkHostileCatalog(b *testing.B) {
	manyKeys, longKeys := map[string]string{}, map[string]string{}
	for i := range 60_000 {
		manyKeys[fmt.Sprintf("k%d", i)] = ""
	}
	for i := range 1000 {
		longKeys[fmt.Sprintf("%0250d", i)] = ""
	}
	defer createHostile(b, 80, manyKeys)()
	defer createHostile(b, 200, longKeys)()
	startTime := restart(b)
	peak := memory(b, "VmHWM")
	b.ReportMetric(startTime.Seconds(), "s-ready")
	b.ReportMetric(memory(b, "VmRSS"), "MiB")
	b.ReportMetric(peak, "MiB-peak")
	b.ReportMetric(0, "ns/op")
	if peak > chartMemoryLimit {
		b.Errorf("the start needs %.0f MiB, and the chart's limit is %d MiB", peak, chartMemoryLimit)
	}
}

// createHostile creates sources with the same keys in a new namespace, and returns a function that deletes them.
func createHostile(b *testing.B, count int, data map[string]string) (empty func()) {
	b.Helper()
	namespace := newNamespace(b, "hostile")
	err := cluster.InParallel(workers, count, func(i int) error {
		return shared.webhook.Admin.Create(b.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: fmt.Sprintf("hostile-%d", i), Labels: map[string]string{annotations.Plugin: "p"},
			},
			Data: data,
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		err := shared.webhook.Admin.DeleteAllOf(b.Context(), &corev1.ConfigMap{}, client.InNamespace(namespace))
		if err != nil {
			b.Error(err)
		}
	}
}
