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

// makeNamespaces makes those that the value sets name, all of them with Pod
// Security restricted. They stay, for their end takes long.
func makeNamespaces(t *testing.T) {
	t.Helper()
	for _, name := range []string{releaseNamespace, "kong", "kong-staging"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
		if err := admin.Create(t.Context(), namespace); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		makeAccount(t, name, "default")
	}
}

// makeAccount makes a service account, without which there is no pod (P3).
func makeAccount(t *testing.T, namespace, name string) *corev1.ServiceAccount {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := admin.Create(t.Context(), account); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return account
}

// remove removes an object at the end of the test, which may be there no more.
func remove(t *testing.T, object client.Object) {
	t.Helper()
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(admin.Delete(context.Background(), object)); err != nil {
			t.Error(err)
		}
	})
}

// TestAccepted proves that the API server accepts every object, and knows every
// field in it.
func TestAccepted(t *testing.T) {
	makeNamespaces(t)
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		for _, object := range objects {
			if object.GroupVersionKind().Group == "monitoring.coreos.com" {
				continue // the server knows no such kinds: see TestServiceMonitor and TestAlerts
			}
			if err := admin.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	})
}

// TestRestricted proves that the pods are accepted where Pod Security is
// restricted, but for one that is asked to run in the node's network.
func TestRestricted(t *testing.T) {
	makeNamespaces(t)
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		template := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.Name = releaseNamespace, "webhook"
		if name := pod.Spec.ServiceAccountName; name != "default" {
			remove(t, makeAccount(t, pod.Namespace, name))
		}
		err := admin.Create(t.Context(), pod, client.DryRunAll)
		switch {
		case set == "bare" && (err == nil || !strings.Contains(err.Error(), "host namespaces (hostNetwork=true)")):
			t.Errorf("hostNetwork: %v, want it to be denied", err)
		case set != "bare" && err != nil:
			t.Error(err)
		}
	})
}

// TestProcess proves what Pod Security does not ask for: no file to write to, a
// user that is named, and time enough to end in.
func TestProcess(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		spec := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec
		container := spec.Containers[0]
		if security := container.SecurityContext; security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
			t.Error("the root filesystem can be written")
		}
		if *spec.SecurityContext.RunAsUser != 65532 {
			t.Errorf("runs as %d", *spec.SecurityContext.RunAsUser)
		}
		var sleep int64
		if container.Lifecycle != nil {
			sleep = container.Lifecycle.PreStop.Sleep.Seconds
		}
		if !slices.Contains(container.Args, "--shutdown-timeout=30s") || *spec.TerminationGracePeriodSeconds <= sleep+30 {
			t.Errorf("killed after %d s, with a sleep of %d s and %q", *spec.TerminationGracePeriodSeconds, sleep, container.Args)
		}
	})
}
