package chart

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// makeNamespaces makes those that the value sets name, all of them with Pod
// Security restricted, and the service accounts that their pods have.
func makeNamespaces(t *testing.T) {
	t.Helper()
	accounts := map[string][]string{releaseNamespace: {"default", "kongdao-webhook", "plugins"}, "kong": {"default"}, "kong-staging": {"default"}}
	for namespace, names := range accounts {
		objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}}}
		for _, name := range names {
			objects = append(objects, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
		}
		for _, object := range objects {
			if err := admin.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
		}
	}
}

// removeNamespaces waits until they are gone, for a release to find nothing.
func removeNamespaces(t *testing.T) {
	t.Helper()
	for _, name := range []string{releaseNamespace, "kong", "kong-staging"} {
		remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
}

func remove(t *testing.T, object client.Object) {
	t.Helper()
	ctx := context.Background() // a cleanup's, when the test's is over
	if err := client.IgnoreNotFound(admin.Delete(ctx, object)); err != nil {
		t.Error(err)
	}
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	if err != nil {
		t.Errorf("%s is not gone: %v", object.GetName(), err)
	}
}

// TestAccepted proves that the API server accepts every object, and knows every
// field in it.
func TestAccepted(t *testing.T) {
	makeNamespaces(t)
	t.Cleanup(func() { removeNamespaces(t) })
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		for _, object := range objects {
			if object.GroupVersionKind().Group == "monitoring.coreos.com" {
				continue // the server knows no such kinds: see TestServiceMonitor and TestAlerts
			}
			err := admin.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
			if err != nil && !apierrors.IsAlreadyExists(err) {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	})
}

// TestRestricted proves that the pods are accepted where Pod Security is
// restricted, but for one that is asked to run in the node's network.
func TestRestricted(t *testing.T) {
	makeNamespaces(t)
	t.Cleanup(func() { removeNamespaces(t) })
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		template := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.Name = releaseNamespace, "webhook"
		err := admin.Create(t.Context(), pod, client.DryRunAll)
		switch {
		case set == "bare" && (err == nil || !strings.Contains(err.Error(), "host namespaces (hostNetwork=true)")):
			t.Errorf("hostNetwork: %v, want it to be refused", err)
		case set != "bare" && err != nil:
			t.Error(err)
		}
	})
}

// TestNothingToRunAs proves that a container has what Pod Security does not ask
// for, too: no writable root, and no time at which it is killed while it serves.
func TestNothingToRunAs(t *testing.T) {
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
