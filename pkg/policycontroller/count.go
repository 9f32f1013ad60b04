package policycontroller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// tally is what is counted of one policy.
type tally struct {
	v1alpha1.PluginPolicyStatus
	toRestart map[v1alpha1.WorkloadReference]bool
}

// count counts what there is, and reports it.
// Uncalled says why API servers do not ask about pods that ask for nothing.
func (c *Controller) count(ctx context.Context, all policies, uncalled error) error {
	if len(all.read) == 0 {
		c.Metrics.show(nil)
		return nil
	}
	tallies := map[string]*tally{}
	for name := range all.compiled {
		tallies[name] = &tally{toRestart: map[v1alpha1.WorkloadReference]bool{}}
	}
	webhook, err := c.webhook(ctx)
	if err != nil {
		return errors.Join(err, c.report(ctx, all, nil, cmp.Or(uncalled, err)))
	}
	// Elsewhere nobody gets anything.
	namespacesAsked, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
	podsAsked, errPods := metav1.LabelSelectorAsSelector(cmp.Or(webhook.ObjectSelector, &metav1.LabelSelector{}))
	if err := errors.Join(err, errPods); err != nil {
		return fmt.Errorf("read the selectors of MutatingWebhookConfiguration %q: %w", c.Configuration, err)
	}
	var namespaces corev1.NamespaceList
	if err := c.Client.List(ctx, &namespaces); err != nil {
		return fmt.Errorf("read the namespaces: %w", err)
	}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		if !namespacesAsked.Matches(labels.Set(namespace.Labels)) {
			continue
		}
		selecting := all.selecting(namespace.Labels)
		for _, one := range selecting {
			tallies[one.Name].Namespaces++
		}
		if slices.ContainsFunc(selecting, func(one *policy.Policy) bool { return len(one.Plugins) > 0 }) {
			if err := c.countPods(ctx, namespace.Name, podsAsked, selecting, tallies); err != nil {
				return err
			}
		}
	}
	return c.report(ctx, all, tallies, uncalled)
}

func (c *Controller) countPods(ctx context.Context, namespace string, asked labels.Selector, selecting []*policy.Policy, tallies map[string]*tally) error {
	for pod, err := range clusterstate.PodsIn(ctx, c.Live, namespace) {
		if err != nil {
			return fmt.Errorf("read the pods of namespace %q: %w", namespace, err)
		}
		if !asked.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if err := countPod(pod, selecting, tallies); err != nil {
			return err
		}
	}
	return nil
}

func countPod(pod *corev1.Pod, selecting []*policy.Policy, tallies map[string]*tally) error {
	owner := metav1.GetControllerOf(pod)
	ended := clusterstate.HasEnded(pod) || pod.DeletionTimestamp != nil
	if ours := owner != nil && owner.Kind == "Job" && pod.Labels[annotations.Step] != ""; ended || ours {
		return nil
	}
	view, err := clusterstate.PodView(pod)
	if err != nil {
		return err
	}
	if !mutate.IsKong(view) {
		return nil
	}
	mark, _ := mutate.ParseInjectionRecord(pod.Annotations) // what is no mark has no releases
	for _, one := range selecting {
		if len(one.Plugins) == 0 || !one.SelectsPod(pod.Labels) {
			continue
		}
		counted := tallies[one.Name]
		counted.Pods++
		switch {
		case carries(pod.Namespace, mark, one, selecting):
			counted.Injected++
		case one.OptOut && pod.Annotations[annotations.Inject] == "false":
			counted.OptedOut++
		default:
			counted.Outdated++
			counted.toRestart[workloadOf(pod)] = true
		}
	}
	return nil
}

// carries reports whether a pod of a namespace was given all that a policy wants,
// and from a library that one of the policies wants it from.
func carries(namespace string, mark mutate.InjectionRecord, wanting *policy.Policy, selecting []*policy.Policy) bool {
	return !slices.ContainsFunc(wanting.Plugins, func(ref annotations.PluginRef) bool {
		return !slices.ContainsFunc(mark.Releases, func(release mutate.ReleaseRecord) bool {
			return release.Plugin == ref.Name && (ref.Version == "" || release.Version == ref.Version) &&
				(wanting.Library == "" || isFromLibrary(namespace, release, selecting))
		})
	})
}

func isFromLibrary(namespace string, release mutate.ReleaseRecord, selecting []*policy.Policy) bool {
	library := cmp.Or(release.Library, namespace)
	return slices.ContainsFunc(selecting, func(one *policy.Policy) bool {
		return one.Library == library && slices.ContainsFunc(one.Plugins, func(ref annotations.PluginRef) bool { return ref.Name == release.Plugin })
	})
}

// workloadOf returns the workload that a restart of the pod needs: the controller of the pod, or the pod itself. For a
// ReplicaSet with the name of a Deployment's ReplicaSet, it returns the Deployment.
func workloadOf(pod *corev1.Pod) v1alpha1.WorkloadReference {
	workload := v1alpha1.WorkloadReference{Namespace: pod.Namespace, Kind: "Pod", Name: pod.Name}
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return workload
	}
	workload.Kind, workload.Name = owner.Kind, owner.Name
	hash := pod.Labels["pod-template-hash"]
	if name, cut := strings.CutSuffix(owner.Name, "-"+hash); cut && hash != "" && owner.Kind == "ReplicaSet" {
		workload.Kind, workload.Name = "Deployment", name
	}
	return workload
}
