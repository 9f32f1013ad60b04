package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// TestADenialReachesTheTerminal proves that who creates a pod that cannot have
// what it asks for reads all that is wrong at once.
func TestADenialReachesTheTerminal(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	broken := source(ns, "broken")
	delete(broken.Data, "schema.lua")
	create(t, broken)
	const manifest = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kong", "annotations":
		{"kongdao.io/plugins": "nope, a.dot, broken", "kongdao.io/containers": "ghost"}},
		"spec": {"containers": [{"name": "proxy", "image": "kong:3.9"}]}}`
	seen := kubectl(t, ns, manifest, "create", "-f", "-")
	if !seen.failed {
		t.Fatal("created")
	}
	wantText(t, seen.errs, `admission webhook "pods.kongdao.io" denied the request`,
		`plugin "nope": no ConfigMap in namespace "`+ns+`" has the label kongdao.io/plugin=nope; create one with "kubectl kongdao pack"`,
		`element 2: plugin name "a.dot" contains a dot`, `plugin "broken": no schema.lua in ConfigMap "plugin-broken"`,
		`annotation kongdao.io/containers: the pod has no container "ghost"; use the names of its containers: "proxy"`)
}

// TestAFailureReachesTheTerminal proves that who creates a pod that the webhook
// cannot decide on reads why, and not only that something had an error.
func TestAFailureReachesTheTerminal(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	_, kubeconfig, err := plane.User("may-nothing")
	if err != nil {
		t.Fatal(err)
	}
	const why = `configmaps is forbidden: User "may-nothing" cannot list resource "configmaps"`
	failing := second(t, kubeconfig, []string{why, "may-nothing"})
	if err := failing.Start(); err != nil {
		t.Fatal(err)
	}
	// Before the shared one, which would say that there is no such plugin.
	register(t, "a-"+ns, ns, failing.URL("/mutate/pods"), plane.CA())
	asks := pod(ns, "kong", "nope")
	eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Create(ctx, asks.DeepCopy(), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "another.example.com") || strings.Contains(err.Error(), "connection denied") {
			return fmt.Errorf("the failing webhook does not answer yet: %w", err)
		}
		return nil
	})
	seen := kubectl(t, ns, manifestOf(t, asks), "create", "-f", "-")
	if !seen.failed {
		t.Fatal("created")
	}
	wantText(t, seen.errs, `failed calling webhook "another.example.com"`, `read the ConfigMaps labelled kongdao.io/plugin in namespace "`+ns+`": `+why)
}

// TestAWarningReachesTheTerminal proves that who annotates a Deployment hears
// at once what its pods would be denied for, and that the Deployment is never
// denied.
func TestAWarningReachesTheTerminal(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	create(t, deployment(ns, "kong", nil))
	seen := mustKubectl(t, ns, "", "annotate", "deployment", "kong", "kongdao.io/plugins=nope,a.dot")
	wantText(t, seen.errs, "Warning: the pods of this Deployment will be denied: ",
		`plugin "nope": no ConfigMap in namespace "`+ns+`"`, `plugin name "a.dot" contains a dot`)
	wantText(t, seen.out, "deployment.apps/kong annotated")

	// Of more than an API server passes on (4 KiB) the beginning arrives.
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("nope-%d", i)
	}
	seen = mustKubectl(t, ns, "", "annotate", "--overwrite", "deployment", "kong", "kongdao.io/plugins="+strings.Join(many, ","))
	wantText(t, seen.errs, `Warning: the pods of this Deployment will be denied: plugin "nope-0": no ConfigMap in namespace "`+ns+`"`)

	// A warning that is no denial: the source may change under the pods.
	mutable := source(ns, "mutable")
	mutable.Immutable = nil
	create(t, mutable)
	seen = mustKubectl(t, ns, "", "annotate", "--overwrite", "deployment", "kong", "kongdao.io/plugins=mutable")
	wantText(t, seen.errs, `Warning: plugin "mutable": ConfigMap "plugin-mutable" is not immutable`)
	if strings.Contains(seen.errs, "denied") {
		t.Errorf("kubectl annotate says: %s", seen.errs)
	}
}

// TestAReplicaSetHearsAndRecovers proves that a denied pod leaves an Event
// where people look for one, and is made as soon as its plugin is there.
func TestAReplicaSetHearsAndRecovers(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	create(t, deployment(ns, "kong", asking("dao-test")))
	var owners appsv1.ReplicaSetList
	eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.List(ctx, &owners, client.InNamespace(ns))
		if err == nil && len(owners.Items) == 0 {
			err = errors.New("no ReplicaSet")
		}
		return err
	})
	waitForEvent(t, ns, owners.Items[0].Name, `plugin "dao-test": no ConfigMap`)
	wantText(t, mustKubectl(t, ns, "", "get", "events").out, "PluginsDenied", "replicaset/kong-", `plugin "dao-test": no ConfigMap`)
	daoTest(t, ns)
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })
}

// ownedPod is a pod as the controller of a ReplicaSet would create it.
func ownedPod(namespace, owner, plugins string) *corev1.Pod {
	owned := pod(namespace, owner+"-pod", plugins)
	owned.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: owner, UID: uuid.NewUUID(), Controller: new(true),
	}}
	return owned
}

// eventsOn lists the notes of the Events on a ReplicaSet.
func eventsOn(ctx context.Context, namespace, name string) ([]string, error) {
	var list eventsv1.EventList
	if err := webhook.Admin.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var notes []string
	for _, event := range list.Items {
		if event.Reason == "PluginsDenied" && event.Regarding.Name == name {
			notes = append(notes, event.Note)
		}
	}
	return notes, nil
}

func waitForEvent(t *testing.T, namespace, owner string, parts ...string) string {
	t.Helper()
	var notes []string
	eventually(t, func(ctx context.Context) (err error) {
		if notes, err = eventsOn(ctx, namespace, owner); err == nil && len(notes) == 0 {
			err = fmt.Errorf("no Event on ReplicaSet %s", owner)
		}
		return err
	})
	wantText(t, notes[0], parts...)
	return notes[0]
}

// TestALongDenialMakesAnEvent proves that one which an Event cannot hold is
// cut so that the API server takes it, in whatever script it is written.
func TestALongDenialMakesAnEvent(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	for script, character := range map[string]string{"ascii": "-", "accented": "é", "cjk": "鹿", "emoji": "🦍"} {
		// Padded, so that the cut falls at every byte of a character.
		for padding := range 4 {
			owner := fmt.Sprintf("%s-%d", script, padding)
			long := ownedPod(ns, owner, "nope,2.dot,3.dot,4.dot,5.dot"+strings.Repeat("t", padding))
			long.Spec.Containers = nil
			for i := range 9 {
				name := fmt.Sprint(i, strings.Repeat(character, 72/len(character)))
				long.Spec.Containers = append(long.Spec.Containers, corev1.Container{Name: name, Image: "nginx"})
			}
			if err := webhook.Admin.Create(t.Context(), long); err == nil {
				t.Fatal("admitted")
			}
			if note := waitForEvent(t, ns, owner, "none of", "..."); strings.ContainsRune(note, utf8.RuneError) {
				t.Errorf("the Event is cut within a character: %s", note)
			}
		}
	}
}

// TestADryRunLeavesNothing proves that a dry run shows what would be, and that
// neither its success nor its denial leaves anything behind.
func TestADryRunLeavesNothing(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	const manifest = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kong", "annotations": {"kongdao.io/plugins": "dao-test"}},
		"spec": {"containers": [{"name": "proxy", "image": "kong:3.9"}]}}`
	seen := mustKubectl(t, ns, manifest, "create", "-f", "-", "--dry-run=server", "-o", "yaml")
	wantText(t, seen.out, "value: bundled,dao-test", "mountPath: /opt/kong/plugins/dao-test/migrations", `kongdao.io/injected: "true"`)
	if err := webhook.Admin.Create(t.Context(), ownedPod(ns, "dry", "nope"), client.DryRunAll); err == nil {
		t.Fatal("admitted")
	}
	if err := webhook.Admin.Create(t.Context(), deployment(ns, "kong", asking("dao-test")), client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	// Events go their way one after the other: that of the second denial
	// comes after what the first would have left.
	if err := webhook.Admin.Create(t.Context(), ownedPod(ns, "wet", "nope")); err == nil {
		t.Fatal("admitted")
	}
	waitForEvent(t, ns, "wet", `plugin "nope"`)
	if notes, err := eventsOn(t.Context(), ns, "dry"); err != nil || len(notes) > 0 {
		t.Errorf("a dry run left Events %q (%v)", notes, err)
	}
	for _, list := range []client.ObjectList{&corev1.PodList{}, &appsv1.DeploymentList{}} {
		if err := webhook.Admin.List(t.Context(), list, client.InNamespace(ns)); err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(list); strings.Contains(text, annotations.Plugins) {
			t.Errorf("dry runs left %s", text)
		}
	}
}

// TestADenialRepeated proves that Events are counted and do not pile up.
func TestADenialRepeated(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	denied := ownedPod(ns, "kong", "nope")
	denied.OwnerReferences[0].UID = types.UID("7d3cdb1c-3c1c-4c52-a6d1-4b1a6a8bd5e1")
	for range 20 {
		if err := webhook.Admin.Create(t.Context(), denied.DeepCopy()); err == nil {
			t.Fatal("admitted")
		}
	}
	var list eventsv1.EventList
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.List(ctx, &list, client.InNamespace(ns)); err != nil {
			return err
		}
		if len(list.Items) == 0 || list.Items[0].Series == nil {
			return fmt.Errorf("not counted yet: %v", list.Items)
		}
		return nil
	})
	if len(list.Items) != 1 {
		t.Errorf("%d Events, want one that is counted", len(list.Items))
	}
}
