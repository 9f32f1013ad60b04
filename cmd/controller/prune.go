package main

import (
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/pkg/prunecontroller"
)

// addPruner adds the pruner, which deletes old releases.
func (s *shared) addPruner() error {
	err := s.manager.Add(&prunecontroller.Pruner{
		Client:     s.manager.GetClient(),
		Live:       s.manager.GetAPIReader(),
		Sources:    s.sources,
		Exclusions: s.exclusions(),
		Policies:   s.policies,
		Events:     s.events,
		Log:        ctrl.Log.WithName("prune"),
		Now:        time.Now,
		Keep:       s.options.PruneKeep,
		MinAge:     s.options.PruneMinAge,
		Interval:   s.options.PruneInterval,
	})
	if err != nil {
		return fmt.Errorf("set up the pruner: %w", err)
	}
	return nil
}
