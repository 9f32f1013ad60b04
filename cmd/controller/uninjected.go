package main

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/uninjectedcontroller"
)

// addUninjected adds the controller for pods that lack the plugins that they request.
func (s *shared) addUninjected() error {
	live, err := s.watchingClient()
	if err != nil {
		return err
	}
	selector, err := s.options.objectSelector()
	if err != nil {
		return err
	}
	controller := &uninjectedcontroller.Controller{
		Pods:       clusterstate.NewUninjectedPods(live, selector, s.options.WatchNamespaces...),
		Exclusions: s.exclusions(),
		Events:     s.events,
	}
	if err := controller.RegisterMetrics(metrics.Registry); err != nil {
		return err
	}
	return controller.SetUp(s.manager)
}

// watchingClient returns a client that reads the API server and watches it without a cache.
func (s *shared) watchingClient() (client.WithWatch, error) {
	live, err := client.NewWithWatch(s.manager.GetConfig(), client.Options{
		HTTPClient: s.manager.GetHTTPClient(), Scheme: s.manager.GetScheme(), Mapper: s.manager.GetRESTMapper(),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the client that watches pods: %w", err)
	}
	return live, nil
}
