package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/wait"
)

// newNamespace creates a namespace and waits until it accepts pods.
func newNamespace(b *testing.B, name string) string {
	b.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-" + name + "-"}}
	if err := shared.webhook.Admin.Create(b.Context(), namespace); err != nil {
		b.Fatal(err)
	}
	wait.For(b, 2*time.Minute, func(ctx context.Context) error {
		key := client.ObjectKey{Namespace: namespace.Name, Name: "default"}
		return shared.webhook.Admin.Get(ctx, key, &corev1.ServiceAccount{})
	})
	return namespace.Name
}

// createSources creates the sources of the test plugin.
func createSources(b *testing.B, namespace string) {
	b.Helper()
	sources, err := fixtures.Sources(namespace)
	if err != nil {
		b.Fatal(err)
	}
	for i := range sources {
		if err := shared.webhook.Admin.Create(b.Context(), &sources[i]); err != nil {
			b.Fatal(err)
		}
	}
}

// createConfiguration creates a webhook configuration and returns a function that deletes it.
func createConfiguration(
	b *testing.B, configuration *admissionregistrationv1.MutatingWebhookConfiguration,
) (remove func()) {
	b.Helper()
	if err := shared.webhook.Admin.Create(b.Context(), configuration); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := shared.webhook.Admin.Delete(b.Context(), configuration); err != nil {
			b.Error(err)
		}
	}
}

// chartPod returns a pod that requests the plugin.
func chartPod(b *testing.B, namespace string, values fixtures.ChartValues) *corev1.Pod {
	b.Helper()
	pod, err := fixtures.ChartPod(namespace, values)
	if err != nil {
		b.Fatal(err)
	}
	return pod
}

// sourcesPerNamespace is the number of sources in each namespace of a large catalog.
const sourcesPerNamespace = 1000

// fillCatalog creates sources. Each has a complete plugin with about size bytes. It returns a function that deletes
// them.
func fillCatalog(b *testing.B, count, size int) (empty func()) {
	b.Helper()
	var namespaces []string
	for range (count + sourcesPerNamespace - 1) / sourcesPerNamespace {
		namespaces = append(namespaces, newNamespace(b, "catalog"))
	}
	data := map[string]string{
		"handler.lua": "-- " + strings.Repeat("x", size), "schema.lua": "return { fields = {} }",
		"init.lua": `return { "000_base" }`, "000_base.lua": "return {}",
	}
	err := cluster.InParallel(workers, count, func(i int) error {
		name := fmt.Sprintf("plugin-%d", i)
		return shared.webhook.Admin.Create(b.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespaces[i/sourcesPerNamespace], Name: name,
				Labels: map[string]string{annotations.Plugin: name},
			},
			Immutable: new(true),
			Data:      data,
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		for _, namespace := range namespaces {
			err := shared.webhook.Admin.DeleteAllOf(b.Context(), &corev1.ConfigMap{}, client.InNamespace(namespace))
			if err != nil {
				b.Error(err)
			}
		}
	}
}

// workers is the number of goroutines that create objects concurrently.
const workers = 8
