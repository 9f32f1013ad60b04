package policycontroller

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// maxListedWorkloads is the largest number of workloads that a status lists for a restart.
const maxListedWorkloads = 20

// report writes the statuses of all policies and updates the metrics. The tallies are nil if the pods could not be
// counted; the statuses then keep their counts.
func (c *Controller) report(ctx context.Context, all policies, tallies map[string]*tally, webhookErr error) error {
	var failed []error
	var shown []v1alpha1.PluginPolicy
	for i := range all.read {
		read := &all.read[i]
		status := read.Status.DeepCopy()
		counted := tallies[read.Name]
		if counted != nil {
			*status = counted.PluginPolicyStatus
			status.Conditions = read.Status.DeepCopy().Conditions
			toRestart := sortedWorkloads(counted.toRestart)
			status.WorkloadsToRestart = toRestart[:min(len(toRestart), maxListedWorkloads)]
		}
		status.Denials = c.Denials.recent(read.Status.Denials)
		denied := deniedWorkloads(status.Denials)
		status.Denied = int32(min(len(denied), 1<<30)) //nolint:gosec // G115: bounded
		status.ObservedGeneration = read.Generation
		setConditions(status, verdict{policy: all.compiled[read.Name], invalid: all.invalid[read.Name], webhook: webhookErr, denied: denied})
		shown = append(shown, v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: read.Name}, Spec: read.Spec, Status: *status})
		failed = append(failed, c.write(ctx, read, status))
	}
	c.Metrics.show(shown)
	return errors.Join(failed...)
}

// write writes the status of a policy if it has changed.
func (c *Controller) write(ctx context.Context, read *v1alpha1.PluginPolicy, status *v1alpha1.PluginPolicyStatus) error {
	if equality.Semantic.DeepEqual(&read.Status, status) {
		return nil
	}
	changed := read.DeepCopy()
	changed.Status = *status
	if err := c.Client.Status().Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of PluginPolicy %q: %w", read.Name, err)
	}
	return nil
}
