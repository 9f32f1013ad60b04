package controllers

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/test/cluster"
)

// TestTamperedCopyIsReplaced proves that the gate of a pod stays until a copy with other content or labels is replaced.
func TestTamperedCopyIsReplaced(t *testing.T) {
	t.Parallel()
	library, _, users := createLibrary(t, policySpec{Plugins: plugins(quiet)}, 1)
	ns := users[0]
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	for name, tamper := range map[string]func(*corev1.ConfigMap){
		"content":   func(c *corev1.ConfigMap) { c.Data["000.handler.lua"] = "os.execute('evil')" },
		"more":      func(c *corev1.ConfigMap) { c.Data["more.lua"] = "evil" },
		"mutable":   func(c *corev1.ConfigMap) { c.Immutable = nil },
		"unlabeled": func(c *corev1.ConfigMap) { c.Labels = nil },
	} {
		before := kongPod(ns, "before-"+name)
		shared.Create(t, before)
		wantCopiesProvided(t, before)
		original := copiesIn(t.Context(), t, ns)[0]
		remove(t, before)
		replaceCopy(t, original, tamper)
		cluster.Eventually(t, func(ctx context.Context) error { // the webhook's cache may still hold the original
			created, err := createDryRun(ctx, kongPod(ns, "kong"))
			if err == nil && !awaitsCopies(created) {
				err = errors.New("a pod would not wait for a correct copy")
			}
			return err
		})
		after := kongPod(ns, "after-"+name)
		shared.Create(t, after)
		if !awaitsCopies(after) {
			t.Errorf("%s: a pod does not wait for a correct copy", name)
		}
		wantCopiesProvided(t, after)
		checkCopy(t, copiesIn(t.Context(), t, ns)[0], library, "1.0.0")
		remove(t, after)
	}
}

// replaceCopy replaces a copy with a changed one. It tries again if kongdao restores the original first.
func replaceCopy(t *testing.T, original corev1.ConfigMap, tamper func(*corev1.ConfigMap)) {
	t.Helper()
	tampered := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: original.Namespace, Name: original.Name,
			Labels: maps.Clone(original.Labels), Annotations: original.Annotations,
		},
		Data: maps.Clone(original.Data), Immutable: original.Immutable,
	}
	tamper(tampered)
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Delete(ctx, original.DeepCopy()); client.IgnoreNotFound(err) != nil {
			return err
		}
		return kongdaoClient(t).Create(ctx, tampered.DeepCopy())
	})
}

// TestPodKeepsItsRelease proves that a new version in a library is only for new pods, and that kongdao restores a copy
// that someone deletes while a pod mounts it. Then it proves that kongdao deletes a copy that neither a pod nor a
// policy needs, and keeps one that the policy gives to the next pod.
func TestPodKeepsItsRelease(t *testing.T) {
	t.Parallel()
	library, policy, users := createLibrary(t, policySpec{Plugins: plugins(quiet)}, 1)
	ns := users[0]
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	first := kongPod(ns, "old")
	shared.Create(t, first)
	wantCopiesProvided(t, first)
	firstCopy := copiesIn(t.Context(), t, ns)[0]
	second := upgradeLibrary(t, library, policy, ns)
	wantStatus(t, policy, `Restart these workloads to update 1 pod: "`+ns+`/Pod/old"`, func(status policyStatus) bool {
		return status.Outdated == 1 && status.Injected == 1
	})

	remove(t, &firstCopy)
	cluster.Eventually(t, func(ctx context.Context) error {
		restored := &corev1.ConfigMap{}
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(&firstCopy), restored)
		if err == nil && restored.UID == firstCopy.UID {
			err = errors.New("the deleted copy still exists")
		}
		return err
	})
	remove(t, first)
	remove(t, second)
	wantDeleted(t, &firstCopy)
	copies := copiesIn(t.Context(), t, ns)
	if len(copies) != 1 {
		t.Fatalf("the namespace has %d copies, want the one that the policy gives", len(copies))
	}
	checkCopy(t, copies[0], library, "2.0.0")
	remove(t, policy)
	wantDeleted(t, &copies[0])
}

// upgradeLibrary publishes version 2.0.0 in a library, changes the policy to it, and returns a new pod with it.
func upgradeLibrary(t *testing.T, library string, policy *v1alpha1.PluginPolicy, ns string) *corev1.Pod {
	t.Helper()
	source(t, library, quiet, "2.0.0")
	change(t, policy, func(p *v1alpha1.PluginPolicy) { p.Spec.Plugins = plugins(quiet + "@2.0.0") })
	cluster.Eventually(t, func(ctx context.Context) error {
		created, err := createDryRun(ctx, kongPod(ns, "kong"))
		if err == nil && injectionRecord(t, created).Releases[0].Version != "2.0.0" {
			err = errors.New("the next pod gets the old release")
		}
		return err
	})
	next := kongPod(ns, "next")
	shared.Create(t, next)
	wantCopiesProvided(t, next)
	return next
}

// wantDeleted waits until a copy no longer exists.
func wantDeleted(t *testing.T, copied *corev1.ConfigMap) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(copied), &corev1.ConfigMap{})
		if !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("a copy that nothing needs exists"), err)
		}
		return nil
	})
}

// TestOtherConfigMapsAreKept proves that kongdao does not delete a ConfigMap that has the labels of a copy, but not the
// name.
func TestOtherConfigMapsAreKept(t *testing.T) {
	t.Parallel()
	_, policy, users := createLibrary(t, policySpec{Plugins: plugins(quiet)}, 1)
	ns := users[0]
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: ns, Name: "theirs", Labels: map[string]string{annotations.Plugin: "", annotations.CopyOf: quiet},
	}}
	shared.Create(t, other)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	last := kongPod(ns, "kong")
	shared.Create(t, last)
	wantCopiesProvided(t, last)
	remove(t, last)
	remove(t, policy)
	cluster.Eventually(t, func(ctx context.Context) error {
		for _, copied := range copiesIn(ctx, t, ns) {
			if strings.HasPrefix(copied.Name, catalog.CopyPrefix) {
				return errors.New("the copy exists")
			}
		}
		return nil
	})
	get(t, other)
}
