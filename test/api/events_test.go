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
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
)

// TestDenialGivesEvent checks that the denial of a pod gives an Event on its ReplicaSet, and that the pod is created as
// soon as its plugin exists.
func TestDenialGivesEvent(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	shared.Create(t, deployment(ns, "kong", requesting("dao-test")))
	var owners appsv1.ReplicaSetList
	cluster.Eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.List(ctx, &owners, client.InNamespace(ns))
		if err == nil && len(owners.Items) == 0 {
			err = errors.New("no ReplicaSet")
		}
		return err
	})
	waitForEvent(t, ns, owners.Items[0].Name, `plugin "dao-test": no ConfigMap`)
	wantText(t, shared.MustKubectl(t, ns, "", "get", "events").Stdout, "PluginsDenied", "replicaset/kong-",
		`plugin "dao-test": no ConfigMap`)
	createDAOTest(t, ns)
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })
}

// denialEvents returns the messages of the Events about denials on a ReplicaSet.
func denialEvents(ctx context.Context, namespace, name string) ([]string, error) {
	var list eventsv1.EventList
	if err := webhook.Admin.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var messages []string
	for _, event := range list.Items {
		if event.Reason == "PluginsDenied" && event.Regarding.Name == name {
			messages = append(messages, event.Note)
		}
	}
	return messages, nil
}

// waitForEvent waits for an Event about a denial on a ReplicaSet, and returns its message.
func waitForEvent(t *testing.T, namespace, owner string, parts ...string) string {
	t.Helper()
	var messages []string
	cluster.Eventually(t, func(ctx context.Context) (err error) {
		if messages, err = denialEvents(ctx, namespace, owner); err == nil && len(messages) == 0 {
			err = fmt.Errorf("no Event on ReplicaSet %s", owner)
		}
		return err
	})
	wantText(t, messages[0], parts...)
	return messages[0]
}

// TestLongDenialIsTruncated checks that a message that is too long for an Event is cut between two characters.
// Otherwise the API server would reject the Event.
func TestLongDenialIsTruncated(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	for script, character := range map[string]string{"ascii": "-", "accented": "é", "cjk": "鹿", "emoji": "🦍"} {
		// The padding lets the cut fall on every byte of a character.
		for padding := range 4 {
			owner := fmt.Sprintf("%s-%d", script, padding)
			long := ownedPod(ns, owner, "nope,2.dot,3.dot,4.dot,5.dot"+strings.Repeat("t", padding))
			long.Spec.Containers = nil
			for i := range 9 {
				name := fmt.Sprint(i, strings.Repeat(character, 72/len(character)))
				long.Spec.Containers = append(long.Spec.Containers, corev1.Container{Name: name, Image: "nginx"})
			}
			if err := webhook.Admin.Create(t.Context(), long); err == nil {
				t.Fatal("the pod was admitted")
			}
			if message := waitForEvent(t, ns, owner, "none of", "..."); strings.ContainsRune(message, utf8.RuneError) {
				t.Errorf("the Event is cut within a character: %s", message)
			}
		}
	}
}

// TestDryRunHasNoSideEffects checks that a dry run shows the injection and leaves neither objects nor Events.
func TestDryRunHasNoSideEffects(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	const manifest = `{"apiVersion": "v1", "kind": "Pod",
		"metadata": {"name": "kong", "annotations": {"kongdao.io/plugins": "dao-test"}},
		"spec": {"containers": [{"name": "proxy", "image": "kong:3.9"}]}}`
	output := shared.MustKubectl(t, ns, manifest, "create", "-f", "-", "--dry-run=server", "-o", "yaml")
	wantText(t, output.Stdout, "value: bundled,dao-test", "mountPath: /opt/kong/plugins/dao-test/migrations",
		`kongdao.io/injected: "true"`)
	if err := webhook.Admin.Create(t.Context(), ownedPod(ns, "dry", "nope"), client.DryRunAll); err == nil {
		t.Fatal("the pod was admitted")
	}
	if err := webhook.Admin.Create(t.Context(), deployment(ns, "kong", requesting("dao-test")),
		client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	// Events are recorded in order: an Event of the first denial would come before this one.
	if err := webhook.Admin.Create(t.Context(), ownedPod(ns, "real", "nope")); err == nil {
		t.Fatal("the pod was admitted")
	}
	waitForEvent(t, ns, "real", `plugin "nope"`)
	if messages, err := denialEvents(t.Context(), ns, "dry"); err != nil || len(messages) > 0 {
		t.Errorf("the dry run left Events %q (%v)", messages, err)
	}
	for _, list := range []client.ObjectList{&corev1.PodList{}, &appsv1.DeploymentList{}} {
		if err := webhook.Admin.List(t.Context(), list, client.InNamespace(ns)); err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(list); strings.Contains(text, annotations.Plugins) {
			t.Errorf("the dry runs left %s", text)
		}
	}
}

// TestRepeatedDenialsShareAnEvent checks that repeated denials increase the count of one Event.
func TestRepeatedDenialsShareAnEvent(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	denied := ownedPod(ns, "kong", "nope")
	denied.OwnerReferences[0].UID = types.UID("7d3cdb1c-3c1c-4c52-a6d1-4b1a6a8bd5e1")
	for range 20 {
		if err := webhook.Admin.Create(t.Context(), denied.DeepCopy()); err == nil {
			t.Fatal("the pod was admitted")
		}
	}
	var list eventsv1.EventList
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.List(ctx, &list, client.InNamespace(ns)); err != nil {
			return err
		}
		if len(list.Items) == 0 || list.Items[0].Series == nil {
			return fmt.Errorf("the Event has no count yet: %v", list.Items)
		}
		return nil
	})
	if len(list.Items) != 1 {
		t.Errorf("got %d Events, want 1", len(list.Items))
	}
}
