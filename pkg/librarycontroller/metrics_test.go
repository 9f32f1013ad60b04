package librarycontroller

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"kongdao.io/kongdao/pkg/clusterstate"
)

// TestEveryReplicaReportsWaitingPods proves that the metric exists without leadership, and that a second registration
// is an error.
func TestEveryReplicaReportsWaitingPods(t *testing.T) {
	registry := prometheus.NewRegistry()
	if err := RegisterMetrics(registry, &clusterstate.InjectedPods{}); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || families[0].GetName() != "kongdao_library_waiting_pods" ||
		families[0].GetMetric()[0].GetGauge().GetValue() != 0 {
		t.Errorf("the metrics are %v", families)
	}
	err = RegisterMetrics(registry, &clusterstate.InjectedPods{})
	if err == nil || !strings.HasPrefix(err.Error(), "register the metric kongdao_library_waiting_pods: ") {
		t.Errorf("the error of a second registration is %v", err)
	}
}
