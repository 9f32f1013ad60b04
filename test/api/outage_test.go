package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
)

// TestOutage checks that an outage of the webhook blocks only new pods that request plugins, and changes of requests.
// It is not parallel, because it stops the webhook.
func TestOutage(t *testing.T) {
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	createWithoutWebhook(t, ns)
	shared.Create(t, deployment(ns, "kong", requesting("dao-test")), deployment(ns, "plain", nil))
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })

	if err := webhook.Kill(); err != nil {
		t.Fatal(err)
	}
	defer func() { // other tests need the webhook
		if err := webhook.StartAndWait(context.Background()); err != nil && webhook.Ready(context.Background()) != nil {
			t.Error(err)
		}
	}()
	shared.Create(t, plainPod(ns, "plain"))
	err := webhook.Admin.Create(t.Context(), pod(ns, "requesting", "dao-test"))
	if err == nil || !strings.Contains(err.Error(), "pods.kongdao.io") {
		t.Errorf("a pod that requests plugins: got error %v, want a failed call of the webhook", err)
	}
	for _, change := range [][]string{
		{"scale", "deployment", "kong", "--replicas=2"},
		{"scale", "deployment", "plain", "--replicas=2"},
		{"set", "image", "deployment/kong", "ingress-controller=kong/kubernetes-ingress-controller:3.6"},
		{"label", "deployment", "kong", "team=gateways"},
		{"annotate", "deployment", "kong", "team=gateways"},
		{"patch", "deployment", "kong", "--subresource=status", "-p", `{"status":{"observedGeneration":7}}`},
		{"label", "pod", "--all", "team=gateways"},
		// The deletion of an object with finalizers is an update. It must not fail because of the annotation that was not
		// propagated.
		{"delete", "deployment", "not-propagated", "--cascade=foreground", "--timeout=30s"},
		// The webhook only warns about the deletion of a release.
		{"delete", "configmaps", "--selector=kongdao.io/plugin", "--dry-run=server"},
	} {
		shared.MustKubectl(t, ns, "", change...)
	}
	output := shared.Kubectl(t, ns, "", "annotate", "deployment", "plain", "kongdao.io/plugins=dao-test")
	if !output.Failed {
		t.Error("an annotation was accepted without the webhook")
	}

	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func(ctx context.Context) error {
		return client.IgnoreAlreadyExists(webhook.Admin.Create(ctx, pod(ns, "requesting", "dao-test")))
	})
	// The Deployment controller retries.
	cluster.Eventually(t, func(ctx context.Context) error {
		pods, err := podsOf(ctx, ns, "kong")
		if err != nil {
			return err
		}
		updated := 0
		for i := range pods {
			if pods[i].Spec.Containers[0].Image == "kong/kubernetes-ingress-controller:3.6" {
				updated++
			}
			if err := checkInjected(&pods[i], "dao-test", kongContainers...); err != nil {
				return err
			}
		}
		if updated == 0 {
			return errors.New("no pod has the new image")
		}
		return nil
	})
}

// createWithoutWebhook creates a Deployment whose annotation is not propagated to its template, as if the Deployment
// were older than kongdao.
func createWithoutWebhook(t *testing.T, namespace string) {
	t.Helper()
	key := client.ObjectKey{Name: "kongdao"}
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := webhook.Admin.Get(t.Context(), key, &configuration); err != nil {
		t.Fatal(err)
	}
	if err := webhook.Admin.Delete(t.Context(), configuration.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		configuration.ObjectMeta = metav1.ObjectMeta{Name: configuration.Name}
		shared.Create(t, &configuration)
		cluster.Eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Create(ctx, pod(namespace, "nope", "nope"), client.DryRunAll); err == nil {
				return errors.New("the API server does not call the webhook yet")
			}
			return nil
		})
	}()
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Create(ctx, pod(namespace, "nope", "nope"), client.DryRunAll); err != nil {
			return fmt.Errorf("the API server still calls the webhook: %w", err)
		}
		return nil
	})
	created := deployment(namespace, "not-propagated", requesting("dao-test"))
	shared.Create(t, created)
	var stored appsv1.Deployment
	if err := webhook.Admin.Get(t.Context(), client.ObjectKeyFromObject(created), &stored); err != nil ||
		len(stored.Spec.Template.Annotations) > 0 {
		t.Fatalf("the annotation was propagated: %v %v", stored.Spec.Template.Annotations, err)
	}
}
