package policycontroller

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Metrics show the statuses of policies. The labels are names of policies, which administrators choose, and words of a
// small fixed set.
type Metrics struct {
	pods       *prometheus.Desc
	uninjected *prometheus.Desc
	denied     *prometheus.Desc

	mutex sync.Mutex
	// statuses are the policies with their last statuses. Only the leader has them.
	statuses []v1alpha1.PluginPolicy
}

// NewMetrics returns registered metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	metrics := &Metrics{
		pods: prometheus.NewDesc("kongdao_policy_pods",
			"Kong pods that a policy selects, by whether they have its plugins.", []string{"policy", "state"}, nil),
		uninjected: prometheus.NewDesc("kongdao_policy_uninjected_pods",
			"Kong pods without a policy's plugins, although the policy was enforced when they were created.",
			[]string{"policy"}, nil),
		denied: prometheus.NewDesc("kongdao_policy_denied_workloads",
			"Workloads whose pods a policy denied in the last hour, or with mode Audit would have denied.",
			[]string{"policy"}, nil),
	}
	if err := registry.Register(metrics); err != nil {
		return nil, fmt.Errorf("register the metrics of policies: %w", err)
	}
	return metrics, nil
}

// setStatuses sets the policies whose statuses are shown.
func (m *Metrics) setStatuses(policies []v1alpha1.PluginPolicy) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.statuses = policies
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- m.pods
	descriptions <- m.uninjected
	descriptions <- m.denied
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(collected chan<- prometheus.Metric) {
	gauge := func(description *prometheus.Desc, value int32, labels ...string) {
		collected <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, float64(value), labels...)
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for i := range m.statuses {
		name, status := m.statuses[i].Name, &m.statuses[i].Status
		outdated := "outdated"
		if m.statuses[i].Spec.Mode == v1alpha1.Audit {
			outdated = "would_change" // an audit needs no restart
		}
		gauge(m.pods, status.Injected, name, "injected")
		gauge(m.pods, status.OptedOut, name, "opted_out")
		gauge(m.pods, status.Outdated, name, outdated)
		gauge(m.uninjected, status.Uninjected, name)
		gauge(m.denied, status.Denied, name)
	}
}
