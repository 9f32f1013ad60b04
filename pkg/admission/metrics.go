package admission

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The endpoints that metrics tell apart.
const (
	endpointPods      = "pods"
	endpointWorkloads = "workloads"
)

// Metrics counts and times admissions. Every label is of a small fixed set.
type Metrics struct {
	admissions *prometheus.CounterVec
	duration   *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	metrics := &Metrics{
		admissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_admissions_total",
			Help: "Admissions answered, by endpoint, result and (for denials) reason.",
		}, []string{"endpoint", "result", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kongdao_admission_duration_seconds",
			Help:    "Time from reading a review to having answered it, by endpoint and result.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"endpoint", "result"}),
	}
	for _, collector := range []prometheus.Collector{metrics.admissions, metrics.duration} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return metrics, nil
}

func (m *Metrics) observe(endpoint string, answer answer, took time.Duration) {
	m.admissions.WithLabelValues(endpoint, string(answer.result), string(answer.reason)).Inc()
	m.duration.WithLabelValues(endpoint, string(answer.result)).Observe(took.Seconds())
}
