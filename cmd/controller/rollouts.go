package main

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policycontroller"
	"kongdao.io/kongdao/pkg/rolloutcontroller"
)

// addRollouts adds the controller for automatic rollouts.
func (s *shared) addRollouts() error {
	live, err := s.watchingClient()
	if err != nil {
		return err
	}
	controller := &rolloutcontroller.Controller{
		Client:         s.manager.GetClient(),
		Live:           s.manager.GetAPIReader(),
		Sources:        s.sources,
		Exclusions:     s.exclusions(),
		Policies:       s.policies,
		RunsMigrations: s.options.Migrations,
		Events:         s.events,
		Log:            ctrl.Log.WithName("rollouts"),
		Now:            time.Now,
	}
	controller.Follow(live, s.options.WatchNamespaces)
	s.rollouts = controller
	return controller.SetUp(s.manager)
}

// rolloutStatuses returns the function with which the statuses of policies show automatic rollouts, nil if they are
// disabled.
func (s *shared) rolloutStatuses() func() []policycontroller.Rollout {
	if !s.options.Rollouts {
		return nil
	}
	return func() []policycontroller.Rollout {
		var rollouts []policycontroller.Rollout
		for _, status := range s.rollouts.Statuses() {
			rollouts = append(rollouts, policycontroller.Rollout{
				Workload: v1alpha1.WorkloadReference{
					Namespace: status.Namespace, Kind: status.Kind, Name: status.Name,
				},
				PodLabels: status.PodLabels, Status: status.Text,
			})
		}
		return rollouts
	}
}
