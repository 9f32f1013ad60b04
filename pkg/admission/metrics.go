package admission

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The values of the label "endpoint".
const (
	endpointPods      = "pods"
	endpointWorkloads = "workloads"
	endpointSources   = "sources"
)

// Metrics counts and times admissions. Every label has a small fixed set of values.
type Metrics struct {
	admissions *prometheus.CounterVec
	duration   *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	metrics := &Metrics{
		admissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_admissions_total",
			Help: "Number of admission requests, by endpoint, result and reason of the denial.",
		}, []string{"endpoint", "result", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kongdao_admission_duration_seconds",
			Help:    "Duration of admission requests in seconds, by endpoint and result.",
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

func (m *Metrics) observe(endpoint string, response response, duration time.Duration) {
	m.admissions.WithLabelValues(endpoint, string(response.result), string(response.reason)).Inc()
	m.duration.WithLabelValues(endpoint, string(response.result)).Observe(duration.Seconds())
}
