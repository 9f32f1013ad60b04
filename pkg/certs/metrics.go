package certs

import (
	"crypto/x509"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the metrics of the certificates.
type Metrics struct {
	expiration *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	metrics := &Metrics{expiration: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kongdao_certificate_expiration_timestamp_seconds",
		Help: "Expiration time of the CA and of the serving certificate, in seconds since 1970.",
	}, []string{"certificate"})}
	if err := registry.Register(metrics.expiration); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return metrics, nil
}

// setExpiry sets the expiration times of the signing CA and of the serving certificate.
func (m *Metrics) setExpiry(ca, serving *x509.Certificate) {
	m.expiration.WithLabelValues("ca").Set(float64(ca.NotAfter.Unix()))
	m.expiration.WithLabelValues("serving").Set(float64(serving.NotAfter.Unix()))
}
