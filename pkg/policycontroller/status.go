package policycontroller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
)

const (
	// maxListedWorkloads limits the workloads that a status lists for a restart, and those with rollouts.
	maxListedWorkloads = 20
	// maxListedReleases limits the releases that a status lists. Injection records can be forged.
	maxListedReleases = 50
)

// updateStatuses writes the statuses of all policies and updates the metrics. The webhookErr says why API servers may
// not call the webhook, nil if they do. If pods cannot be counted, because the installation has no webhook to say which
// pods count, the statuses keep their counts.
func (c *Controller) updateStatuses(ctx context.Context, policies *clusterstate.PolicySet, webhookErr error) error {
	var counted map[string]*counts
	if len(policies.Items) > 0 && c.canCount(policies) {
		webhook, err := c.webhook().build(ctx)
		if err != nil {
			return errors.Join(err, c.writeStatuses(ctx, policies, nil, cmp.Or(webhookErr, err)))
		}
		if counted, err = c.count(ctx, policies, webhook); err != nil {
			return err
		}
	}
	return c.writeStatuses(ctx, policies, counted, webhookErr)
}

func (c *Controller) writeStatuses(
	ctx context.Context, policies *clusterstate.PolicySet, counted map[string]*counts, webhookErr error,
) error {
	c.reportUninjected(counted)
	var failed []error
	var shown []v1alpha1.PluginPolicy
	for i := range policies.Items {
		item := &policies.Items[i]
		status := item.Status.DeepCopy()
		if counts := counted[item.Name]; counts != nil {
			setCounts(status, counts)
		}
		status.Denials = recentDenials(status.Denials, c.Now())
		denied := deniedWorkloads(status.Denials)
		status.Denied = bounded(len(denied))
		status.EnforcedSince = nextEnforcedSince(item, policies.Valid[item.Name], webhookErr, c.Now())
		status.ObservedGeneration = item.Generation
		setConditions(status, observation{
			policy: policies.Valid[item.Name], invalid: policies.Errors[item.Name],
			webhook: webhookErr, denied: denied, runsRollouts: c.Rollouts != nil,
		})
		shown = append(shown, v1alpha1.PluginPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: item.Name}, Spec: item.Spec, Status: *status,
		})
		failed = append(failed, c.writeStatus(ctx, item, status))
	}
	c.Metrics.setStatuses(shown)
	return errors.Join(failed...)
}

func setCounts(status *v1alpha1.PluginPolicyStatus, counts *counts) {
	status.Namespaces, status.Pods = counts.namespaces, counts.pods
	status.Injected, status.OptedOut, status.Outdated = counts.injected, counts.optedOut, counts.outdated
	status.Uninjected = bounded(len(counts.uninjected))
	status.Releases = sortedReleases(counts.releases)
	status.Rollouts = sortedRollouts(counts.rollouts)
	toRestart := sortedWorkloads(counts.toRestart)
	status.WorkloadsToRestart = toRestart[:min(len(toRestart), maxListedWorkloads)]
}

// sortedReleases returns the releases by plugin, and by version with the oldest first.
func sortedReleases(pods map[annotations.PluginRef]int32) []v1alpha1.ReleasePods {
	refs := slices.SortedFunc(maps.Keys(pods), func(a, b annotations.PluginRef) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), catalog.CompareVersions(a.Version, b.Version))
	})
	var listed []v1alpha1.ReleasePods
	for _, ref := range refs[:min(len(refs), maxListedReleases)] {
		listed = append(listed, v1alpha1.ReleasePods{Release: ref.String(), Pods: pods[ref]})
	}
	return listed
}

// writeStatus writes the status of a policy if it has changed.
func (c *Controller) writeStatus(
	ctx context.Context, item *v1alpha1.PluginPolicy, status *v1alpha1.PluginPolicyStatus,
) error {
	if equality.Semantic.DeepEqual(&item.Status, status) {
		return nil
	}
	changed := item.DeepCopy()
	changed.Status = *status
	if err := c.Client.Status().Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of PluginPolicy %q: %w", item.Name, err)
	}
	return nil
}

// bounded converts the length of a list, which never comes near the limit.
func bounded(length int) int32 {
	return int32(min(length, 1<<30)) //nolint:gosec // G115: bounded by the line itself
}
