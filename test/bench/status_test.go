package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// The size of the cluster of BenchmarkStatus, and how often the commands run.
const (
	statusPods       = 5000
	statusNamespaces = 200
	statusRuns       = 5
	maxStatusTime    = 2 * time.Second
)

// BenchmarkStatus measures "kubectl kongdao status -A" with 5,000 injected pods in 200 namespaces. It reports:
//   - x-get-pods: the time of the command, compared to "kubectl get pods -A -o yaml"
//   - s-status: the time of the command
func BenchmarkStatus(b *testing.B) {
	createInjectedPods(b, scaled(b, statusPods))
	program, err := installation.Build(b.Context(), "kubectl-kongdao", b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	kubeconfig := shared.plane.Kubeconfig()
	var status, get []time.Duration
	for range statusRuns {
		start := time.Now()
		output := cluster.RunProgram(b.Context(), b, program, "", "status", "-A", "--kubeconfig", kubeconfig)
		status = append(status, time.Since(start))
		if output.Failed || strings.Count(output.Stdout, "\n") < scaled(b, statusPods) {
			b.Fatalf("status prints %d bytes: %s", len(output.Stdout), output.Stderr)
		}
		start = time.Now()
		if output := cluster.RunKubectl(b.Context(), b, kubeconfig, "", "get", "pods", "-A", "-o", "yaml"); output.Failed {
			b.Fatal(output.Stderr)
		}
		get = append(get, time.Since(start))
	}
	slices.Sort(status)
	slices.Sort(get)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(status[statusRuns/2].Seconds()/get[statusRuns/2].Seconds(), "x-get-pods")
	b.ReportMetric(status[statusRuns/2].Seconds(), "s-status")
	if median := status[statusRuns/2]; median > maxStatusTime {
		b.Errorf("status needs %v, want at most %v", median, maxStatusTime)
	}
}

// createInjectedPods creates pods that have the record of an injection, without an owner.
func createInjectedPods(b *testing.B, count int) {
	b.Helper()
	record, err := json.Marshal(mutate.InjectionRecord{Releases: []mutate.ReleaseRecord{{
		Plugin: "dao-test", Version: "1.1.0", Digest: "sha256:" + strings.Repeat("a", 64),
		Sources: []string{"dao-test-1.1.0"},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	name := func(i int) string { return fmt.Sprintf("status-%d", i%statusNamespaces) }
	err = cluster.InParallel(workers, statusNamespaces, func(i int) error {
		return shared.webhook.Admin.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name(i)}})
	})
	if err != nil {
		b.Fatal(err)
	}
	err = cluster.InParallel(workers, count, func(i int) error {
		return shared.webhook.Admin.Create(b.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: name(i), Name: fmt.Sprintf("kong-%d", i),
				Labels:      map[string]string{annotations.Injected: "true"},
				Annotations: map[string]string{annotations.InjectionRecord: string(record)},
			},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}, NodeName: "node",
				AutomountServiceAccountToken: new(false),
			},
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}
