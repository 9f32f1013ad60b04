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
)

// TestWhileTheWebhookIsDown proves whom that concerns: those who ask for
// plugins, or change what they ask for, and nobody else. It is not parallel.
func TestWhileTheWebhookIsDown(t *testing.T) {
	ns := namespace(t)
	daoTest(t, ns)
	unseenDeployment(t, ns)
	create(t, deployment(ns, "kong", asking("dao-test")), deployment(ns, "plain", nil))
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })

	if err := webhook.Kill(); err != nil {
		t.Fatal(err)
	}
	defer func() { // the other tests need it
		if err := webhook.StartAndWait(context.Background()); err != nil && webhook.Ready(context.Background()) != nil {
			t.Error(err)
		}
	}()
	create(t, plainPod(ns, "plain"))
	err := webhook.Admin.Create(t.Context(), pod(ns, "asking", "dao-test"))
	if err == nil || !strings.Contains(err.Error(), "pods.kongdao.io") {
		t.Errorf("a pod that asks for plugins: %v, want that the webhook was not reached", err)
	}
	for _, change := range [][]string{
		{"scale", "deployment", "kong", "--replicas=2"},
		{"scale", "deployment", "plain", "--replicas=2"},
		{"set", "image", "deployment/kong", "ingress-controller=kong/kubernetes-ingress-controller:3.6"},
		{"label", "deployment", "kong", "team=gateways"},
		{"annotate", "deployment", "kong", "team=gateways"},
		{"patch", "deployment", "kong", "--subresource=status", "-p", `{"status":{"observedGeneration":7}}`},
		{"label", "pod", "--all", "team=gateways"},
		// What was never carried is no reason to keep somebody from deleting it,
		// which updates it when it has finalizers.
		{"delete", "deployment", "unseen", "--cascade=foreground", "--timeout=30s"},
	} {
		mustKubectl(t, ns, "", change...)
	}
	if seen := kubectl(t, ns, "", "annotate", "deployment", "plain", "kongdao.io/plugins=dao-test"); !seen.failed {
		t.Error("an annotation that cannot be carried was taken")
	}

	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		return client.IgnoreAlreadyExists(webhook.Admin.Create(ctx, pod(ns, "asking", "dao-test")))
	})
	// The controller tries again by itself.
	eventually(t, func(ctx context.Context) error {
		pods, err := podsOf(ctx, ns, "kong")
		if err != nil {
			return err
		}
		rolled := 0
		for i := range pods {
			if pods[i].Spec.Containers[0].Image == "kong/kubernetes-ingress-controller:3.6" {
				rolled++
			}
			if err := checkInjected(&pods[i], "dao-test", kongContainers...); err != nil {
				return err
			}
		}
		if rolled == 0 {
			return errors.New("no pod of the new image")
		}
		return nil
	})
}

// unseenDeployment makes a Deployment whose annotation was not carried into its
// template, as of one that is older than kongdao.
func unseenDeployment(t *testing.T, namespace string) {
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
		create(t, &configuration)
		eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Create(ctx, pod(namespace, "nope", "nope"), client.DryRunAll); err == nil {
				return errors.New("the webhook is not called again")
			}
			return nil
		})
	}()
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Create(ctx, pod(namespace, "nope", "nope"), client.DryRunAll); err != nil {
			return fmt.Errorf("the webhook is still called: %w", err)
		}
		return nil
	})
	unseen := deployment(namespace, "unseen", asking("dao-test"))
	create(t, unseen)
	var made appsv1.Deployment
	if err := webhook.Admin.Get(t.Context(), client.ObjectKeyFromObject(unseen), &made); err != nil || len(made.Spec.Template.Annotations) > 0 {
		t.Fatalf("the webhook has seen the Deployment: %v %v", made.Spec.Template.Annotations, err)
	}
}
