package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/wait"
)

// The size of the cluster of BenchmarkScale. KONGDAO_BENCH_PERCENT scales all numbers, for a short run.
const (
	scaleNamespaces = 200
	scaleDatabases  = 50
	fewPods         = 2000
	manyPods        = 5000
)

// The limits of BenchmarkScale.
const (
	maxAdmissionRatio = 1.1
	maxRestRatio      = 1.1
	maxQueueRatio     = 2.5
	maxStatusAge      = time.Minute
	// unnoticedWait is a wait in a queue that no user notices. Shorter ones are compared as if they were this long.
	unnoticedWait = 200 * time.Millisecond
)

// BenchmarkScale measures how kongdao behaves with many pods: 2,000 and then 5,000 pods in 200 namespaces on 50
// databases. A policy for each namespace gives the plugin from one library, so that each pod waits for a copy and for a
// migration. A test double of kubelet runs the pods. It reports ratios and counts:
//   - x-admission: the time of an admission with 5,000 pods, compared to none. Both are compared to a webhook that does
//     nothing.
//   - x-rest: the requests in a minute at rest with 5,000 pods, compared to 2,000
//   - x-queue: the 99th percentile of the wait in the queue of a controller, compared in the same way
//   - x-cpu-per-pod: the CPU time of the process for a pod, compared in the same way
//   - s-status: how long after the last pod the statuses of all policies are right
func BenchmarkScale(b *testing.B) {
	s := startScale(b)
	empty := s.admissionTime(b)
	few := s.rollOut(b, scaled(b, fewPods))
	s.removePods(b)
	many := s.rollOut(b, scaled(b, manyPods))
	full := s.admissionTime(b)
	b.ReportMetric(0, "ns/op")
	limit := func(name string, value, limit float64) {
		b.ReportMetric(value, name)
		if value > limit {
			b.Errorf("%s is %.2f, want at most %.2f", name, value, limit)
		}
	}
	limit("x-admission", full/empty, maxAdmissionRatio)
	limit("x-rest", (many.restRequests+1)/(few.restRequests+1), maxRestRatio)
	limit("x-queue", max(many.queueWait, unnoticedWait).Seconds()/max(few.queueWait, unnoticedWait).Seconds(),
		maxQueueRatio)
	b.ReportMetric(many.cpu.Seconds()/few.cpu.Seconds(), "x-cpu-per-pod")
	limit("s-status", max(many.statusAge, few.statusAge).Seconds(), maxStatusAge.Seconds())
	b.Logf("%d pods: %+v", scaled(b, fewPods), few)
	b.Logf("%d pods: %+v", scaled(b, manyPods), many)
	for name, pid := range map[string]int{"webhook": s.webhook.PID(), "controller": s.controller.PID()} {
		memory, err := readMemory(pid, "VmHWM")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(memory/mebibyte, "MiB-"+name)
	}
}

// scaled returns a number of objects for this run.
func scaled(b *testing.B, number int) int {
	b.Helper()
	percent := os.Getenv("KONGDAO_BENCH_PERCENT")
	if percent == "" {
		return number
	}
	value, err := strconv.Atoi(percent)
	if err != nil || value < 1 {
		b.Fatalf("KONGDAO_BENCH_PERCENT is %q, want a number of at least 1", percent)
	}
	return max(number*value/100, 1)
}

// rollout is what was measured while and after pods were created.
type rollout struct {
	// running is the time from the first creation until all pods run.
	running time.Duration
	// queueWait is the 99th percentile of the wait in the queue of a controller.
	queueWait time.Duration
	// statusAge is the time from the last creation until the statuses of all policies are right.
	statusAge time.Duration
	// restRequests are the requests in a minute at rest.
	restRequests float64
	// cpu is the CPU time for each pod.
	cpu time.Duration
}

// rollOut creates pods, waits until all run and are counted, and measures a minute at rest.
func (s *scale) rollOut(b *testing.B, pods int) rollout {
	b.Helper()
	before, cpuBefore, start := s.metrics(b.Context(), b), s.usage(b), time.Now()
	err := cluster.InParallel(workers, pods, func(i int) error { return s.webhook.Admin.Create(b.Context(), s.pod(i)) })
	if err != nil {
		b.Fatal(err)
	}
	created := time.Now()
	s.waitForStatuses(b, pods)
	result := rollout{statusAge: time.Since(created)}
	wait.For(b, 30*time.Minute, func(context.Context) error {
		if running := s.kubelet.running(); running < pods {
			return fmt.Errorf("%d of %d pods run", running, pods)
		}
		return nil
	})
	result.running = time.Since(start)
	after := s.metrics(b.Context(), b)
	result.queueWait = after.since(before).queueWait()
	result.cpu = (s.usage(b) - cpuBefore) / time.Duration(pods)
	result.restRequests = s.requestsAtRest(b)
	return result
}

// requestsAtRest waits until nothing changes, and returns the requests of one minute.
func (s *scale) requestsAtRest(b *testing.B) float64 {
	b.Helper()
	last := s.metrics(b.Context(), b).requests()
	wait.For(b, 10*time.Minute, func(ctx context.Context) error {
		select { // a test that waits for silence has to watch for some time
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
		}
		now := s.metrics(ctx, b).requests()
		change := now - last
		if last = now; change > restNoise {
			return fmt.Errorf("%.0f requests in ten seconds", change)
		}
		return nil
	})
	start := s.metrics(b.Context(), b).requests()
	select {
	case <-time.After(time.Minute):
	case <-b.Context().Done():
	}
	return s.metrics(b.Context(), b).requests() - start
}

// restNoise is the number of requests in ten seconds for leader election and open watches.
const restNoise = 25

// removePods deletes all pods and copies, and waits until the pods are gone. The next pods use other databases, so that
// they need as much as the first ones.
func (s *scale) removePods(b *testing.B) {
	b.Helper()
	for _, namespace := range s.namespaces {
		s.deleteAll(b, &corev1.Pod{}, namespace)
	}
	wait.For(b, 5*time.Minute, func(context.Context) error {
		if running := s.kubelet.running(); running > 0 {
			return fmt.Errorf("%d pods still run", running)
		}
		return nil
	})
	s.waitForStatuses(b, 0)
	for _, namespace := range s.namespaces {
		s.deleteAll(b, &corev1.ConfigMap{}, namespace, client.HasLabels{annotations.CopyOf})
	}
	s.generation++
}

// deleteAll deletes all objects of a type in a namespace.
func (s *scale) deleteAll(b *testing.B, object client.Object, namespace string, options ...client.DeleteAllOfOption) {
	b.Helper()
	options = append(options, client.InNamespace(namespace), client.GracePeriodSeconds(0))
	if err := s.webhook.Admin.DeleteAllOf(b.Context(), object, options...); err != nil {
		b.Fatal(err)
	}
}
