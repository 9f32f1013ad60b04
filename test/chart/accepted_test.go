package chart

import (
	"context"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// createNamespaces creates the namespaces of the value sets, with the Pod Security Standard restricted. Tests do not
// delete them, because that takes long.
func createNamespaces(t *testing.T) {
	t.Helper()
	for _, name := range []string{releaseNamespace, "kong", "kong-staging"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}}
		if err := admin.Create(t.Context(), namespace); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		createServiceAccount(t, name, "default")
	}
}

// createServiceAccount creates a service account. Without the controller-manager, a namespace has no default service
// account, and the API server rejects pods without one (fact P3).
func createServiceAccount(t *testing.T, namespace, name string) *corev1.ServiceAccount {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := admin.Create(t.Context(), account); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return account
}

// deleteAtEnd deletes an object at the end of the test, if it still exists.
func deleteAtEnd(t *testing.T, object client.Object) {
	t.Helper()
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(admin.Delete(context.Background(), object)); err != nil {
			t.Error(err)
		}
	})
}

// TestAPIServerAcceptsEveryObject proves that the API server accepts every object, and knows every field in it.
func TestAPIServerAcceptsEveryObject(t *testing.T) {
	createNamespaces(t)
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		for _, object := range objects {
			if object.GroupVersionKind().Group == "monitoring.coreos.com" {
				continue // The API server does not have these kinds. prometheus_test.go checks them.
			}
			err := admin.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
			if err != nil {
				t.Errorf("create %s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	})
}

// TestPodsMeetRestricted proves that the pods meet the Pod Security Standard restricted, unless hostNetwork is set.
func TestPodsMeetRestricted(t *testing.T) {
	createNamespaces(t)
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		for _, deployment := range findAll[appsv1.Deployment](t, objects, "Deployment") {
			template := deployment.Spec.Template
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			pod.Namespace, pod.Name = releaseNamespace, "pod"
			if name := pod.Spec.ServiceAccountName; name != "default" {
				deleteAtEnd(t, createServiceAccount(t, pod.Namespace, name))
			}
			err := admin.Create(t.Context(), pod, client.DryRunAll)
			switch {
			case set == "bare" && (err == nil || !strings.Contains(err.Error(), "host namespaces (hostNetwork=true)")):
				t.Errorf("create a pod with hostNetwork: got %v, want a denial", err)
			case set != "bare" && err != nil:
				t.Error(err)
			}
		}
	})
}

// TestPodsAreHardened proves what the Pod Security Standards do not require: a read-only root filesystem and a fixed
// user. The webhook also needs a termination grace period that is long enough.
func TestPodsAreHardened(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		for _, component := range componentsOf(t, objects) {
			spec := component.podSpec(t, objects)
			if readOnly := spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
				t.Errorf("the root filesystem of the %s is writable", component)
			}
			if user := *spec.SecurityContext.RunAsUser; user != 65532 {
				t.Errorf("the user of the %s is %d, want 65532", component, user)
			}
		}
		spec := webhook.podSpec(t, objects)
		container := spec.Containers[0]
		var sleep int64
		if container.Lifecycle != nil {
			sleep = container.Lifecycle.PreStop.Sleep.Seconds
		}
		grace := *spec.TerminationGracePeriodSeconds
		if !slices.Contains(container.Args, "--shutdown-timeout=30s") || grace <= sleep+30 {
			t.Errorf("the grace period is %d s, the preStop sleep %d s, the arguments %q", grace, sleep, container.Args)
		}
	})
}
