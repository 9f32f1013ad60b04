package main

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/pkg/rollout"
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

// rolloutReports returns the function with which the statuses of policies show automatic rollouts, nil if they are
// disabled. The controller for rollouts is added later.
func (s *shared) rolloutReports() func() []rollout.Report {
	if !s.options.Rollouts {
		return nil
	}
	return func() []rollout.Report { return s.rollouts.Reports() }
}
