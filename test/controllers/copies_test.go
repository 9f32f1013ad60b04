package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
)

// eventsOn is what Events in a namespace say of an object.
func eventsOn(ctx context.Context, namespace, name string) (string, error) {
	var list eventsv1.EventList
	if err := webhook.Admin.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return "", err
	}
	var said []string
	for _, event := range list.Items {
		if event.Regarding.Name == name {
			said = append(said, event.Note)
		}
	}
	return strings.Join(said, "\n"), nil
}

// copiesIn are the copies of libraries' releases in a namespace, sorted by name.
func copiesIn(ctx context.Context, t *testing.T, namespace string) []corev1.ConfigMap {
	t.Helper()
	var list corev1.ConfigMapList
	if err := webhook.Admin.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{annotations.CopyOf}); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func awaitsLibrary(made *corev1.Pod) bool {
	return slices.Contains(made.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: annotations.LibraryGate})
}

// supplied waits until pods need not wait for their library any more.
func supplied(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, made := range pods {
		eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(made), made); err != nil {
				return err
			}
			if awaitsLibrary(made) {
				return fmt.Errorf("pod %s/%s waits for its library", made.Namespace, made.Name)
			}
			return nil
		})
	}
}

// mustBeCopy fails unless a copy holds what the library's ConfigMap does, cannot be
// changed, and says where it is from.
func mustBeCopy(t *testing.T, made corev1.ConfigMap, from, version string) {
	t.Helper()
	original := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: from, Name: quiet + "-" + version}}
	get(t, original)
	got, want := slices.Sorted(maps.Values(made.Data)), slices.Sorted(maps.Values(original.Data))
	switch {
	case !slices.Equal(got, want):
		t.Errorf("copy %s/%s holds %q, and the library %q", made.Namespace, made.Name, got, want)
	case made.Immutable == nil || !*made.Immutable:
		t.Errorf("copy %s/%s can be changed", made.Namespace, made.Name)
	case made.Labels[annotations.CopyOf] != quiet || made.Labels["app.kubernetes.io/managed-by"] != "kongdao" ||
		made.Annotations[annotations.Origin] != from+"/"+quiet+"@"+version || !strings.HasPrefix(made.Annotations[annotations.Digest], "sha256:"):
		t.Errorf("copy %s/%s says %v, %v", made.Namespace, made.Name, made.Labels, made.Annotations)
	}
}

// TestATamperedCopyIsReplaced proves that a pod is not let go with a copy that
// holds anything else, whoever could make it.
func TestATamperedCopyIsReplaced(t *testing.T) {
	t.Parallel()
	from, _, to := library(t, v1alpha1.PluginPolicySpec{Plugins: plugins(quiet)}, 1)
	eventuallyGiven(t, unasked(to[0], "kong"), "bundled,quiet")
	for name, tamper := range map[string]func(*corev1.ConfigMap){
		"content":   func(c *corev1.ConfigMap) { c.Data["000.handler.lua"] = "os.execute('evil')" },
		"more":      func(c *corev1.ConfigMap) { c.Data["more.lua"] = "evil" },
		"mutable":   func(c *corev1.ConfigMap) { c.Immutable = nil },
		"unlabeled": func(c *corev1.ConfigMap) { c.Labels = nil },
	} {
		before := unasked(to[0], "before-"+name)
		create(t, before)
		supplied(t, before)
		right := copiesIn(t.Context(), t, to[0])[0]
		remove(t, before)
		evil := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: to[0], Name: right.Name, Labels: right.Labels, Annotations: right.Annotations},
			Data:       maps.Clone(right.Data), Immutable: right.Immutable,
		}
		tamper(evil)
		eventually(t, func(ctx context.Context) error { // kongdao may be first
			if err := webhook.Admin.Delete(ctx, right.DeepCopy()); client.IgnoreNotFound(err) != nil {
				return err
			}
			return kongdaos(t).Create(ctx, evil.DeepCopy())
		})
		eventually(t, func(ctx context.Context) error { // a cache may know of the right one
			made, err := admitted(ctx, unasked(to[0], "kong"))
			if err == nil && !awaitsLibrary(made) {
				err = errors.New("a pod would not wait")
			}
			return err
		})
		after := unasked(to[0], "after-"+name)
		create(t, after)
		if !awaitsLibrary(after) {
			t.Errorf("%s: a pod does not wait", name)
		}
		supplied(t, after)
		mustBeCopy(t, copiesIn(t.Context(), t, to[0])[0], from, "1.0.0")
		remove(t, after)
	}
}

// TestAPodStaysOnItsRelease proves that a library's next version is for pods that
// are made then; that a copy which somebody deletes is put back while a pod mounts
// it; and that one goes which neither a pod nor a policy needs, while one stays that
// a policy would give to the next pod.
func TestAPodStaysOnItsRelease(t *testing.T) {
	t.Parallel()
	from, policy, to := library(t, v1alpha1.PluginPolicySpec{Plugins: plugins(quiet)}, 1)
	ns := to[0]
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,quiet")
	old := unasked(ns, "old")
	create(t, old)
	supplied(t, old)
	first := copiesIn(t.Context(), t, ns)[0]
	source(t, from, quiet, "2.0.0")
	eventuallyDenied(t, unasked(ns, "kong"), `library "`+from+`" has versions "1.0.0" and "2.0.0", and neither a policy nor the annotation`)
	change(t, policy, func(p *v1alpha1.PluginPolicy) { p.Spec.Plugins = plugins(quiet + "@2.0.0") })
	eventually(t, func(ctx context.Context) error {
		made, err := admitted(ctx, unasked(ns, "kong"))
		if err == nil && markOf(t, made).Releases[0].Version != "2.0.0" {
			err = errors.New("the next pod gets the old release")
		}
		return err
	})
	next := unasked(ns, "next")
	create(t, next)
	supplied(t, next)
	wantStatus(t, policy, "Restart these workloads to update 1 pod: \""+ns+"/Pod/old\"", func(status v1alpha1.PluginPolicyStatus) bool { return status.Outdated == 1 && status.Injected == 1 })

	remove(t, &first)
	eventually(t, func(ctx context.Context) error {
		again := &corev1.ConfigMap{}
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(&first), again)
		if err == nil && again.UID == first.UID {
			err = errors.New("it is the one that was deleted")
		}
		return err
	})
	remove(t, old)
	remove(t, next)
	eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(&first), &corev1.ConfigMap{})
		if err == nil {
			return errors.New("what nobody needs is there")
		}
		return client.IgnoreNotFound(err)
	})
	copies := copiesIn(t.Context(), t, ns)
	if len(copies) != 1 {
		t.Fatalf("%d copies are left of what the policy gives", len(copies))
	}
	mustBeCopy(t, copies[0], from, "2.0.0")
	remove(t, policy)
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(&copies[0]), &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("no policy needs it any more"), err)
		}
		return nil
	})
}

// TestOthersConfigMaps proves that a ConfigMap which is nobody's copy, though it is
// labelled like one, stays.
func TestOthersConfigMaps(t *testing.T) {
	t.Parallel()
	_, policy, to := library(t, v1alpha1.PluginPolicySpec{Plugins: plugins(quiet)}, 1)
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: to[0], Name: "theirs", Labels: map[string]string{annotations.Plugin: "", annotations.CopyOf: quiet},
	}}
	create(t, theirs)
	eventuallyGiven(t, unasked(to[0], "kong"), "bundled,quiet")
	last := unasked(to[0], "kong")
	create(t, last)
	supplied(t, last)
	remove(t, last)
	remove(t, policy)
	eventually(t, func(ctx context.Context) error {
		for _, one := range copiesIn(ctx, t, to[0]) {
			if strings.HasPrefix(one.Name, catalog.CopyPrefix) {
				return errors.New("the copy is there")
			}
		}
		return nil
	})
	get(t, theirs)
}
