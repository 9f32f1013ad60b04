package policycontroller

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/policy"
)

// Metrics count what policies make of pods that are created, and show what there
// is. Their labels are policies' names, which a cluster's administrators choose,
// and words of a small fixed set.
type Metrics struct {
	admissions *prometheus.CounterVec
	pods       *prometheus.Desc
	denied     *prometheus.Desc
	waiting    *prometheus.Desc
	injected   *clusterstate.InjectedPods

	mutex sync.Mutex
	// counted are the policies with what the leader has counted; none for any other.
	counted []v1alpha1.PluginPolicy
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer, pods *clusterstate.InjectedPods) (*Metrics, error) {
	metrics := &Metrics{
		admissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_policy_admissions_total",
			Help: "What policies made of pods that were created, or with mode Audit would have made.",
		}, []string{"policy", "effect"}),
		pods:     prometheus.NewDesc("kongdao_policy_pods", "Kong pods that a policy selects, by whether they have what it wants.", []string{"policy", "state"}, nil),
		denied:   prometheus.NewDesc("kongdao_policy_denied_workloads", "Workloads whose pods a policy denied in the last hour, or with mode Audit would have.", []string{"policy"}, nil),
		waiting:  prometheus.NewDesc("kongdao_library_waiting_pods", "Pods that wait for copies of a library's releases.", nil, nil),
		injected: pods,
	}
	for _, collector := range []prometheus.Collector{metrics.admissions, metrics} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return metrics, nil
}

// Count counts the effects of policies on a pod.
func (m *Metrics) Count(effects policy.Effects) {
	for _, one := range effects {
		m.admissions.WithLabelValues(one.Policy, string(one.Effect)).Inc()
	}
}

// show has these policies' statuses shown from now on.
func (m *Metrics) show(counted []v1alpha1.PluginPolicy) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.counted = counted
}

// Describe is that of a prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{m.pods, m.denied, m.waiting} {
		descriptions <- description
	}
}

// Collect is that of a prometheus.Collector.
func (m *Metrics) Collect(collected chan<- prometheus.Metric) {
	gauge := func(of *prometheus.Desc, value int32, labels ...string) {
		collected <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, float64(value), labels...)
	}
	gauge(m.waiting, int32(min(m.injected.CountAwaitingCopies(), 1<<30))) //nolint:gosec // G115: bounded
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for i := range m.counted {
		name, status := m.counted[i].Name, &m.counted[i].Status
		outdated := "outdated"
		if m.counted[i].Spec.Mode == v1alpha1.Audit {
			outdated = "would_change" // an audit needs no restart
		}
		gauge(m.pods, status.Injected, name, "injected")
		gauge(m.pods, status.OptedOut, name, "opted_out")
		gauge(m.pods, status.Outdated, name, outdated)
		gauge(m.denied, status.Denied, name)
	}
}
