package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// TestAPodInTheInstantOfItsSource proves that no pod is denied for a source
// that is younger than what the webhook has seen. The audit log shows how often
// it had to look for itself; TestEachRightIsNeeded does that without chance.
func TestAPodInTheInstantOfItsSource(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	const times = 200
	err := inParallel(8, times, func(i int) error {
		plugin := fmt.Sprintf("young-%d", i)
		if err := webhook.Admin.Create(t.Context(), source(ns, plugin)); err != nil {
			return err
		}
		asks := pod(ns, plugin, plugin)
		if err := webhook.Admin.Create(t.Context(), asks); err != nil {
			return err
		}
		return checkInjected(asks, plugin, "proxy")
	})
	if err != nil {
		t.Error(err)
	}
	reads := 0
	for _, entry := range audit(t) {
		if entry.Verb == "list" && entry.User.Username == installation.WebhookUser && strings.Contains(entry.RequestURI, ns) {
			reads++
		}
	}
	t.Logf("of %d pods, %d came before their source was seen", times, reads)
}

// TestASourceThatGoes proves what happens to pods whose source is deleted: the
// one that was admitted stays and refers to it by name, so that it starts when
// the source is back; others are denied as soon as that is seen.
func TestASourceThatGoes(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	gone := source(ns, "gone")
	create(t, gone)
	first := pod(ns, "first", "gone")
	create(t, first)
	if err := webhook.Admin.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Create(ctx, pod(ns, "second", "gone"), client.DryRunAll)
		if err == nil {
			return errors.New("still admitted")
		}
		wantText(t, err.Error(), `plugin "gone": no ConfigMap in namespace "`+ns+`" has the label kongdao.io/plugin=gone`)
		return nil
	})
	if err := webhook.Admin.Get(t.Context(), client.ObjectKeyFromObject(first), first); err != nil {
		t.Fatal(err)
	}
	if name := volumeOf(first, "kongdao-gone").Projected.Sources[0].ConfigMap.Name; name != gone.Name {
		t.Errorf("the pod refers to ConfigMap %q, want %q", name, gone.Name)
	}
	create(t, source(ns, "gone"), pod(ns, "third", "gone"))
}

func volumeOf(pod *corev1.Pod, name string) corev1.Volume {
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == name {
			return volume
		}
	}
	return corev1.Volume{}
}

func audit(t *testing.T) []controlplane.AuditEntry {
	t.Helper()
	entries, err := plane.AuditEntries()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestAuditAnnotations proves that the cluster's audit log says which release a
// pod was given, and why one was denied.
func TestAuditAnnotations(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	create(t, pod(ns, "kong", "dao-test"))
	if err := webhook.Admin.Create(t.Context(), pod(ns, "denied", "nope")); err == nil {
		t.Fatal("admitted")
	}
	want := map[string]string{"pods.kongdao.io/releases": "dao-test sha256:", "pods.kongdao.io/denial": "UnknownPlugin"}
	eventually(t, func(context.Context) error {
		seen := map[string]bool{}
		for _, entry := range audit(t) {
			for name, part := range want {
				if entry.Object.Namespace == ns && strings.HasPrefix(entry.Annotations[name], part) {
					seen[name] = true
				}
			}
		}
		if len(seen) < len(want) {
			return fmt.Errorf("of %v the audit log has %v", want, seen)
		}
		return nil
	})
}
