package policycontroller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/scope"
)

// counts are the numbers of one policy's status.
type counts struct {
	namespaces, pods, injected, optedOut, outdated int32
	// releases are the numbers of pods by the release of the policy's plugins that they have.
	releases map[annotations.PluginRef]int32
	// toRestart holds the workloads of outdated pods.
	toRestart map[v1alpha1.WorkloadReference]bool
	// rollouts are the automatic rollouts of workloads that the policy asks for.
	rollouts []v1alpha1.WorkloadRollout
	// uninjected are the outdated pods that were created without a call of the webhook.
	uninjected []*clusterstate.KongPod
}

// counter counts namespaces and pods for all valid policies.
type counter struct {
	policies *clusterstate.PolicySet
	scope    scope.Scope
	// namespaces and pods select the objects that API servers call the webhook for. Others get no plugins.
	namespaces, pods labels.Selector
	byPolicy         map[string]*counts
	// enforcedSince holds since when policies are enforced. Other policies are not enforced.
	enforcedSince map[string]time.Time
}

func newCounter(
	policies *clusterstate.PolicySet, inScope scope.Scope, webhook *admissionregistrationv1.MutatingWebhook,
) (*counter, error) {
	namespaces, errNamespaces := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
	pods, errPods := metav1.LabelSelectorAsSelector(cmp.Or(webhook.ObjectSelector, &metav1.LabelSelector{}))
	if err := errors.Join(errNamespaces, errPods); err != nil {
		return nil, fmt.Errorf("read the selectors of webhook %q: %w", webhook.Name, err)
	}
	counter := &counter{
		policies: policies, scope: inScope, namespaces: namespaces, pods: pods, byPolicy: map[string]*counts{},
		enforcedSince: enforcedSince(policies),
	}
	for name := range policies.Valid {
		counter.byPolicy[name] = &counts{
			releases: map[annotations.PluginRef]int32{}, toRestart: map[v1alpha1.WorkloadReference]bool{},
		}
	}
	return counter, nil
}

// count returns the counts by the names of the valid policies.
func (c *Controller) count(
	ctx context.Context, policies *clusterstate.PolicySet, webhook *admissionregistrationv1.MutatingWebhook,
) (map[string]*counts, error) {
	counter, err := newCounter(policies, c.Scope, webhook)
	if err != nil {
		return nil, err
	}
	var namespaces corev1.NamespaceList
	if err := c.Client.List(ctx, &namespaces); err != nil {
		return nil, fmt.Errorf("read the namespaces: %w", err)
	}
	rollouts := c.rolloutsByNamespace()
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		selecting := counter.addNamespace(namespace)
		counter.addRollouts(rollouts[namespace.Name], selecting)
		if !slices.ContainsFunc(selecting, func(policy *policy.Policy) bool { return len(policy.Plugins) > 0 }) {
			continue
		}
		for _, pod := range c.Pods.Of(namespace.Name) {
			counter.addPod(pod, selecting)
		}
	}
	return counter.byPolicy, nil
}

// addNamespace counts a namespace and returns the policies that select it.
func (c *counter) addNamespace(namespace *corev1.Namespace) []*policy.Policy {
	if c.scope.Excludes(namespace.Name, namespace.Labels) || !c.namespaces.Matches(labels.Set(namespace.Labels)) {
		return nil
	}
	selecting := c.policies.Of(namespace.Name, namespace.Labels)
	for _, policy := range selecting {
		c.byPolicy[policy.Name].namespaces++
	}
	return selecting
}

// addPod counts a pod for the policies that select its namespace.
func (c *counter) addPod(pod *clusterstate.KongPod, selecting []*policy.Policy) {
	if !c.pods.Matches(labels.Set(pod.Labels)) {
		return
	}
	for _, policy := range selecting {
		if len(policy.Plugins) == 0 || !policy.SelectsPod(pod.Labels) {
			continue
		}
		counts := c.byPolicy[policy.Name]
		counts.pods++
		counts.addReleases(policy, pod.Releases)
		switch {
		case hasPlugins(pod.Namespace, pod.Releases, policy, selecting):
			counts.injected++
		case policy.OptOut && pod.OptedOut:
			counts.optedOut++
		default:
			counts.outdated++
			counts.toRestart[pod.Workload] = true
			if isUninjected(pod, c.enforcedSince[policy.Name]) {
				counts.uninjected = append(counts.uninjected, pod)
			}
		}
	}
}

// addReleases counts the releases of the policy's plugins that a pod has. It ignores versions that no release can have,
// because an injection record can be forged.
func (c *counts) addReleases(policy *policy.Policy, releases []mutate.ReleaseRecord) {
	for _, release := range releases {
		isOfPolicy := slices.ContainsFunc(policy.Plugins, func(ref annotations.PluginRef) bool {
			return ref.Name == release.Plugin
		})
		if isOfPolicy && (release.Version == "" || annotations.ValidateVersion(release.Version) == nil) {
			c.releases[annotations.PluginRef{Name: release.Plugin, Version: release.Version}]++
		}
	}
}

// hasPlugins reports whether a pod got all plugins of a policy, in the right versions and from the right libraries.
func hasPlugins(
	namespace string, releases []mutate.ReleaseRecord, policy *policy.Policy, selecting []*policy.Policy,
) bool {
	return !slices.ContainsFunc(policy.Plugins, func(ref annotations.PluginRef) bool {
		return !slices.ContainsFunc(releases, func(release mutate.ReleaseRecord) bool {
			return release.Plugin == ref.Name && (ref.Version == "" || release.Version == ref.Version) &&
				(policy.Library == "" || isFromLibrary(namespace, release, selecting))
		})
	})
}

// isFromLibrary reports whether a release comes from the library of one of the policies that give the plugin.
func isFromLibrary(namespace string, release mutate.ReleaseRecord, selecting []*policy.Policy) bool {
	library := cmp.Or(release.Library, namespace)
	return slices.ContainsFunc(selecting, func(policy *policy.Policy) bool {
		return policy.Library == library && slices.ContainsFunc(policy.Plugins, func(ref annotations.PluginRef) bool {
			return ref.Name == release.Plugin
		})
	})
}
