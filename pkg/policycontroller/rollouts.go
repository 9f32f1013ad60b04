package policycontroller

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/rollout"
)

// rolloutsByNamespace returns all automatic rollouts, by namespace.
func (c *Controller) rolloutsByNamespace() map[string][]rollout.Report {
	if c.Rollouts == nil {
		return nil
	}
	byNamespace := map[string][]rollout.Report{}
	for _, report := range c.Rollouts() {
		namespace := report.Workload.Namespace
		byNamespace[namespace] = append(byNamespace[namespace], report)
	}
	return byNamespace
}

// addRollouts adds the rollouts in a namespace to the policies that ask for them.
func (c *counter) addRollouts(reports []rollout.Report, selecting []*policy.Policy) {
	for _, report := range reports {
		if !c.pods.Matches(labels.Set(report.PodLabels)) {
			continue
		}
		for _, policy := range selecting {
			if !policy.Audits && policy.AutoRollout && len(policy.Plugins) > 0 && policy.SelectsPod(report.PodLabels) {
				counts := c.byPolicy[policy.Name]
				counts.rollouts = append(counts.rollouts, v1alpha1.WorkloadRollout{
					WorkloadReference: report.Workload, Status: report.Status,
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
