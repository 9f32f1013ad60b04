package librarycontroller

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"kongdao.io/kongdao/pkg/clusterstate"
)

// RegisterMetrics registers the metric of the pods that wait for copies. Every replica reports it.
func RegisterMetrics(registry prometheus.Registerer, pods *clusterstate.InjectedPods) error {
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "kongdao_library_waiting_pods",
		Help: "Pods that wait for copies of a library's releases.",
	}, func() float64 { return float64(pods.CountAwaitingCopies()) })
	if err := registry.Register(waiting); err != nil {
		return fmt.Errorf("register the metric kongdao_library_waiting_pods: %w", err)
	}
	return nil
}
