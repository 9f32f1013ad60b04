package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// newNamespace makes a namespace that can hold pods, and deletes it when the
// benchmark is done.
func newNamespace(ctx context.Context, b *testing.B, name string) string {
	b.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-" + name + "-"}}
	if err := shared.webhook.Admin.Create(ctx, namespace); err != nil {
		b.Fatal(err)
	}
	account := &corev1.ServiceAccount{}
	until(b, "the namespace has its service account", func() error {
		return shared.webhook.Admin.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: "default"}, account)
	})
	return namespace.Name
}

func publish(ctx context.Context, b *testing.B, namespace string) {
	b.Helper()
	sources, err := fixtures.Sources(namespace)
	if err != nil {
		b.Fatal(err)
	}
	for i := range sources {
		if err := shared.webhook.Admin.Create(ctx, &sources[i]); err != nil {
			b.Fatal(err)
		}
	}
}

func chartPod(b *testing.B, namespace string, chart fixtures.ChartValues) *corev1.Pod {
	b.Helper()
	pod, err := fixtures.ChartPod(namespace, chart)
	if err != nil {
		b.Fatal(err)
	}
	return pod
}

// sourcesPerNamespace is how many releases one namespace of a large catalog has.
const sourcesPerNamespace = 1000

// fill makes many sources, each a whole plugin with contents of size bytes, and
// returns a function that deletes them.
func fill(ctx context.Context, b *testing.B, count, size int) (empty func()) {
	b.Helper()
	padding := "-- " + strings.Repeat("x", size)
	immutable := true
	var namespaces []string
	for range (count + sourcesPerNamespace - 1) / sourcesPerNamespace {
		namespaces = append(namespaces, newNamespace(ctx, b, "catalog"))
	}
	concurrently(b, count, func(i int) error {
		return shared.webhook.Admin.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespaces[i/sourcesPerNamespace], Name: fmt.Sprintf("plugin-%d", i),
				Labels: map[string]string{annotations.Plugin: fmt.Sprintf("plugin-%d", i)},
			},
			Immutable: &immutable,
			Data:      map[string]string{"handler.lua": padding, "schema.lua": "return {}", "init.lua": `return { "000_base" }`, "000_base.lua": "return {}"},
		})
	})
	return func() {
		for _, namespace := range namespaces {
			if err := shared.webhook.Admin.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(namespace)); err != nil {
				b.Error(err)
			}
		}
	}
}

// clients is how many work at once where there is much to create.
const clients = 8

func concurrently(b *testing.B, count int, do func(i int) error) {
	b.Helper()
	var group sync.WaitGroup
	failures := make(chan error, clients)
	for worker := range clients {
		group.Go(func() {
			for i := worker; i < count; i += clients {
				if err := do(i); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failures)
	for err := range failures {
		b.Fatal(err)
	}
}

// until waits for something to hold.
func until(b *testing.B, what string, holds func() error) {
	b.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain until %s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// statusOf reads a figure out of /proc/PID/status, in bytes.
func statusOf(status, name string) (float64, error) {
	for line := range strings.SplitSeq(status, "\n") {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s", name)
}
