package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// TestPodRightAfterItsSource checks that no pod is denied because the cache does not have its source yet. The audit log
// shows how often the webhook had to read the API server. That depends on timing; see TestEachPermissionIsNeeded.
func TestPodRightAfterItsSource(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	const times = 200
	err := cluster.InParallel(8, times, func(i int) error {
		plugin := fmt.Sprintf("new-%d", i)
		if err := webhook.Admin.Create(t.Context(), source(ns, plugin)); err != nil {
			return err
		}
		requesting := pod(ns, plugin, plugin)
		if err := webhook.Admin.Create(t.Context(), requesting); err != nil {
			return err
		}
		return checkInjected(requesting, plugin, "proxy")
	})
	if err != nil {
		t.Error(err)
	}
	reads := 0
	for _, entry := range auditEntries(t) {
		if entry.Verb == "list" && entry.User.Username == installation.WebhookUser && strings.Contains(entry.RequestURI, ns) {
			reads++
		}
	}
	t.Logf("%d of %d pods were created before the cache had their source", reads, times)
}

// TestDeletedSource checks what happens to pods whose source is deleted. An admitted pod keeps its reference, so that
// it can start when the source exists again. New pods are denied as soon as the cache has noticed the deletion.
func TestDeletedSource(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	deleted := source(ns, "deleted")
	shared.Create(t, deleted)
	first := pod(ns, "first", "deleted")
	shared.Create(t, first)
	if err := webhook.Admin.Delete(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Create(ctx, pod(ns, "second", "deleted"), client.DryRunAll)
		if err == nil {
			return errors.New("pods are still admitted")
		}
		wantText(t, err.Error(),
			`plugin "deleted": no ConfigMap in namespace "`+ns+`" has the label kongdao.io/plugin=deleted`)
		return nil
	})
	if err := webhook.Admin.Get(t.Context(), client.ObjectKeyFromObject(first), first); err != nil {
		t.Fatal(err)
	}
	if name := volumeOf(first, "kongdao-deleted").Projected.Sources[0].ConfigMap.Name; name != deleted.Name {
		t.Errorf("the pod refers to ConfigMap %q, want %q", name, deleted.Name)
	}
	shared.Create(t, source(ns, "deleted"), pod(ns, "third", "deleted"))
}

// volumeOf returns the volume with this name.
func volumeOf(pod *corev1.Pod, name string) corev1.Volume {
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == name {
			return volume
		}
	}
	return corev1.Volume{}
}

func auditEntries(t *testing.T) []controlplane.AuditEntry {
	t.Helper()
	entries, err := plane.AuditEntries()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestAuditAnnotations checks that the audit log has the releases of an injected pod and the reason of a denial.
func TestAuditAnnotations(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	shared.Create(t, pod(ns, "kong", "dao-test"))
	if err := webhook.Admin.Create(t.Context(), pod(ns, "denied", "nope")); err == nil {
		t.Fatal("the pod was admitted")
	}
	want := map[string]string{"pods.kongdao.io/releases": "dao-test sha256:", "pods.kongdao.io/denial": "UnknownPlugin"}
	cluster.Eventually(t, func(context.Context) error {
		found := map[string]bool{}
		for _, entry := range auditEntries(t) {
			for name, part := range want {
				if entry.Object.Namespace == ns && strings.HasPrefix(entry.Annotations[name], part) {
					found[name] = true
				}
			}
		}
		if len(found) < len(want) {
			return fmt.Errorf("the audit log has only %v of %v", found, want)
		}
		return nil
	})
}

// TestUnusualSources checks sources that "kubectl kongdao pack" does not create.
func TestUnusualSources(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	binary := source(ns, "binary")
	binary.BinaryData, binary.Data = map[string][]byte{"logo.png": {0xff, 0xfe, 0}}, nil
	for name, content := range source(ns, "binary").Data {
		binary.BinaryData[name] = []byte(content)
	}
	outside := source(ns, "outside")
	outside.Annotations = map[string]string{annotations.Path: "../x", annotations.Force: "true"}
	empty := source(ns, "empty")
	empty.Data = nil
	shared.Create(t, binary, outside, empty)

	injected := pod(ns, "kong", "binary")
	shared.Create(t, injected)
	if err := checkInjected(injected, "binary", "proxy"); err != nil {
		t.Error(err)
	}
	items := volumeOf(injected, "kongdao-binary").Projected.Sources[0].ConfigMap.Items
	if len(items) != 3 || items[1].Key != "logo.png" {
		t.Errorf("the volume has %v", items)
	}
	wantDenied(t, ns, "outside",
		`plugin "outside": ConfigMap "plugin-outside", key "handler.lua": path "../x/handler.lua" has an element that `+
			`starts with ".."`)
	wantDenied(t, ns, "empty", `plugin "empty" in ConfigMap "plugin-empty": the plugin has no handler.lua`,
		"no schema.lua")
}

// TestChangedSource checks that changes of the content and of the labels of a source take effect.
func TestChangedSource(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	changing := source(ns, "first")
	changing.Immutable = nil
	shared.Create(t, changing)
	admits := func(plugin string) error {
		return webhook.Admin.Create(t.Context(), pod(ns, "kong", plugin), client.DryRunAll)
	}
	waitUntil := func(plugin string, want bool) {
		t.Helper()
		cluster.Eventually(t, func(context.Context) error {
			if err := admits(plugin); (err == nil) != want {
				return errors.Join(fmt.Errorf("plugin %q: want it to be available: %v", plugin, want), err)
			}
			return nil
		})
	}
	waitUntil("first", true)
	changing.Labels[annotations.Plugin] = "second"
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	waitUntil("second", true)
	waitUntil("first", false)
	delete(changing.Data, "schema.lua")
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	waitUntil("second", false)
	delete(changing.Labels, annotations.Plugin)
	changing.Data["schema.lua"] = "return { fields = {} }"
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	waitUntil("second", false)
	changing.Labels = map[string]string{annotations.Plugin: "second"}
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	waitUntil("second", true)
}
