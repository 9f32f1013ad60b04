package policycontroller

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// Rollout is the last automatic rollout of a workload.
type Rollout struct {
	Workload v1alpha1.WorkloadReference
	// PodLabels are the labels of the pod template.
	PodLabels map[string]string
	// Status says what moved, or why it waits or failed.
	Status string
}

// rolloutsByNamespace returns all automatic rollouts, by namespace.
func (c *Controller) rolloutsByNamespace() map[string][]Rollout {
	if c.Rollouts == nil {
		return nil
	}
	byNamespace := map[string][]Rollout{}
	for _, rollout := range c.Rollouts() {
		namespace := rollout.Workload.Namespace
		byNamespace[namespace] = append(byNamespace[namespace], rollout)
	}
	return byNamespace
}

// addRollouts adds the rollouts in a namespace to the policies that ask for them.
func (c *counter) addRollouts(rollouts []Rollout, selecting []*policy.Policy) {
	for _, rollout := range rollouts {
		if !c.pods.Matches(labels.Set(rollout.PodLabels)) {
			continue
		}
		for _, policy := range selecting {
			if !policy.Audits && policy.AutoRollout && len(policy.Plugins) > 0 && policy.SelectsPod(rollout.PodLabels) {
				counts := c.byPolicy[policy.Name]
				counts.rollouts = append(counts.rollouts, v1alpha1.WorkloadRollout{
					WorkloadReference: rollout.Workload, Status: rollout.Status,
				})
			}
		}
	}
}

// sortedRollouts returns the first rollouts, sorted by workload.
func sortedRollouts(rollouts []v1alpha1.WorkloadRollout) []v1alpha1.WorkloadRollout {
	slices.SortFunc(rollouts, func(a, b v1alpha1.WorkloadRollout) int {
		return a.Compare(b.WorkloadReference)
	})
	return rollouts[:min(len(rollouts), maxListedWorkloads)]
}
