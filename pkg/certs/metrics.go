package certs

import (
	"crypto/x509"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics tell when certificates end.
type Metrics struct {
	ends *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	metrics := &Metrics{ends: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kongdao_certificate_expiration_timestamp_seconds",
		Help: "When a certificate ends, in seconds since 1970: of the CA, and of what is served.",
	}, []string{"certificate"})}
	if err := registry.Register(metrics.ends); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return metrics, nil
}

func (m *Metrics) show(ca, serving *x509.Certificate) {
	m.ends.WithLabelValues("ca").Set(float64(ca.NotAfter.Unix()))
	m.ends.WithLabelValues("serving").Set(float64(serving.NotAfter.Unix()))
}
