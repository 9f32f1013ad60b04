package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/configmaps"
)

// publish creates a release of the plugin "stamp".
func publish(t *testing.T, namespace, version string) *corev1.ConfigMap {
	t.Helper()
	source := configmaps.Versioned(configmaps.Source(namespace, "stamp-"+version, "stamp"), version)
	shared.Create(t, source)
	return source
}

// stampOf returns the release of the plugin "stamp" that a pod has.
func stampOf(pod *corev1.Pod) string {
	record, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil || len(record.Releases) != 1 {
		return ""
	}
	return record.Releases[0].Version
}

// waitForStamps waits until a Deployment has as many pods as replicas, all of them with a release.
func waitForStamps(t *testing.T, kong *appsv1.Deployment, replicas int, version string) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	cluster.Eventually(t, func(ctx context.Context) error {
		var err error
		if pods, err = podsOf(ctx, kong.Namespace, kong.Name); err != nil {
			return err
		}
		if len(pods) != replicas {
			return fmt.Errorf("there are %d pods, want %d", len(pods), replicas)
		}
		for i := range pods {
			if got := stampOf(&pods[i]); got != version {
				return fmt.Errorf("pod %s has release %q, want %q", pods[i].Name, got, version)
			}
		}
		return nil
	})
	return pods
}

// change patches a Deployment.
func change(t *testing.T, kong *appsv1.Deployment, patch string) {
	t.Helper()
	err := webhook.Admin.Patch(t.Context(), kong, client.RawPatch(types.MergePatchType, []byte(patch)))
	if err != nil {
		t.Fatal(err)
	}
}

// wantPin fails the test unless the template of a Deployment has this value of annotation kongdao.io/releases.
func wantPin(t *testing.T, kong *appsv1.Deployment, want string) {
	t.Helper()
	if err := webhook.Admin.Get(t.Context(), client.ObjectKeyFromObject(kong), kong); err != nil {
		t.Fatal(err)
	}
	if got := kong.Spec.Template.Annotations[annotations.Releases]; got != want {
		t.Errorf("the template has %s %q, want %q", annotations.Releases, got, want)
	}
}

// TestPublishingChangesNothing publishes a second release of a plugin whose gateway names no version. Evicted and
// scaled-out pods and those of a restart have the first release. Someone moves the gateway, and a rollback restores the
// first release. When that is deleted, the denial says what to do.
func TestPublishingChangesNothing(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	first := publish(t, ns, "1.9.0")
	kong := deployment(ns, "kong", requesting("stamp"))
	shared.Create(t, kong)
	wantPin(t, kong, "stamp@1.9.0")
	before := waitForStamps(t, kong, 1, "1.9.0")
	second := publish(t, ns, "1.10.0")
	waitForBarePod(t, second)

	if err := webhook.Admin.Delete(t.Context(), &before[0], client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	waitForStamps(t, kong, 1, "1.9.0")
	change(t, kong, `{"spec":{"replicas":3}}`)
	waitForStamps(t, kong, 3, "1.9.0")
	change(t, kong, `{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null},"replicas":1,`+
		`"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
	waitForStamps(t, kong, 1, "1.9.0")
	// A manifest that a person replaces does not have the pin.
	change(t, kong, `{"spec":{"template":{"metadata":{"annotations":{"kongdao.io/releases":null}}}}}`)
	wantPin(t, kong, "stamp@1.9.0")

	change(t, kong, `{"spec":{"template":{"metadata":{"annotations":{"kongdao.io/releases":"stamp@1.10.0"}}}}}`)
	waitForStamps(t, kong, 1, "1.10.0")
	if output := shared.Kubectl(t, ns, "", "rollout", "undo", "deployment/kong"); output.Failed {
		t.Fatal(output)
	}
	wantPin(t, kong, "stamp@1.9.0")
	pods := waitForStamps(t, kong, 1, "1.9.0")

	if err := webhook.Admin.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func(ctx context.Context) error {
		again := &corev1.Pod{ObjectMeta: *pods[0].ObjectMeta.DeepCopy(), Spec: *kong.Spec.Template.Spec.DeepCopy()}
		again.Name, again.ResourceVersion, again.OwnerReferences, again.UID = "again", "", nil, ""
		err := webhook.Admin.Create(ctx, again, client.DryRunAll)
		if err == nil || !apierrors.IsForbidden(err) {
			return fmt.Errorf("a pod of the template: %w", err)
		}
		for _, part := range []string{
			`"stamp@1.9.0"`, `version "1.10.0"`, `"kubectl kongdao upgrade WORKLOAD stamp"`,
		} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the denial does not contain %s: %v", part, err)
			}
		}
		return nil
	})
	change(t, kong, `{"metadata":{"annotations":{"kongdao.io/plugins":"stamp@1.10.0"}}}`)
	waitForStamps(t, kong, 1, "1.10.0")
	wantPin(t, kong, "")
}

// waitForBarePod waits until a pod without a workload gets a release, so that the cache has it. The warning names it.
func waitForBarePod(t *testing.T, release *corev1.ConfigMap) {
	t.Helper()
	bare := manifestOf(t, pod(release.Namespace, "bare", "stamp"))
	cluster.Eventually(t, func(ctx context.Context) error {
		output := cluster.RunKubectl(ctx, t, plane.Kubeconfig(), bare,
			"create", "--namespace", release.Namespace, "--dry-run=server", "-f", "-")
		want := `Warning: plugin "stamp": no version is requested, and the pod gets "stamp@` +
			release.Labels[annotations.PluginVersion] + `"`
		if output.Failed || !strings.Contains(output.Stderr, want) {
			return fmt.Errorf("kubectl prints %+v, want %q", output, want)
		}
		return nil
	})
}

// TestUnrelatedUpdatesDoNotWait checks for which updates of a workload with a pin the API server calls the webhook.
func TestUnrelatedUpdatesDoNotWait(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	publish(t, ns, "1.0.0")
	kong := deployment(ns, "kong", requesting("stamp"))
	kong.Spec.Replicas = new(int32(0)) // its pods would be admissions too
	wantCalls(t, ns, 1, "create", func() { shared.Create(t, kong) })
	for _, test := range []struct {
		what, patch string
		isCalled    bool
	}{
		{"labels", `{"metadata":{"labels":{"a":"b"}}}`, false},
		{"the template", `{"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}`, false},
		{"replicas", `{"spec":{"paused":true}}`, false},
		{"a pin", `{"spec":{"template":{"metadata":{"annotations":{"kongdao.io/releases":"stamp"}}}}}`, true},
		{"the kind of rollouts", `{"metadata":{"annotations":{"kongdao.io/rollout":"manual"}}}`, true},
		{"releases of the workload", `{"metadata":{"annotations":{"kongdao.io/releases":"stamp"}}}`, true},
		{"the status of rollouts", `{"metadata":{"annotations":{"kongdao.io/rollout-status":"x"}}}`, false},
		{"the request", `{"metadata":{"annotations":{"kongdao.io/plugins":"stamp@1.0.0"}}}`, true},
		{"the template, with a version", `{"spec":{"template":{"metadata":{"annotations":{"a":"c"}}}}}`, false},
	} {
		before := len(calls(t, ns))
		change(t, kong, test.patch)
		// The API server admits a patch again if a controller changes the workload meanwhile.
		if after := calls(t, ns); (len(after) > before) != test.isCalled {
			t.Errorf("%s: the webhook was called: %v, want %v: %+v", test.what, !test.isCalled, test.isCalled, after[before:])
		}
	}
}

// TestWorkloadFromBeforePins checks a workload whose template got no pin, because it is older than its plugin. Its pods
// have the same release after another one is published. The template gets a pin to this release when it changes anyway.
func TestWorkloadFromBeforePins(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	kong := deployment(ns, "kong", requesting("stamp"))
	kong.Spec.Replicas = new(int32(0))
	shared.Create(t, kong)
	publish(t, ns, "1.0.0")
	change(t, kong, `{"spec":{"replicas":1}}`)
	waitForStamps(t, kong, 1, "1.0.0")
	wantPin(t, kong, "")
	publish(t, ns, "2.0.0")
	change(t, kong, `{"metadata":{"labels":{"a":"b"}},"spec":{"replicas":3}}`)
	waitForStamps(t, kong, 3, "1.0.0")
	wantPin(t, kong, "")
	change(t, kong, `{"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}`)
	wantPin(t, kong, "stamp@1.0.0")
}
