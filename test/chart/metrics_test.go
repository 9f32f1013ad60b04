package chart

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/librarycontroller"
	"kongdao.io/kongdao/pkg/migratecontroller"
	"kongdao.io/kongdao/pkg/policycontroller"
	"kongdao.io/kongdao/pkg/policyeffects"
	"kongdao.io/kongdao/pkg/uninjectedcontroller"
)

// checkQuery fails the test if the query of an alert or a panel has no metric, or one that does not exist.
func checkQuery(t *testing.T, title, query string) {
	t.Helper()
	known := exportedMetrics(t)
	names := regexp.MustCompile(`\b([a-z]+(?:_[a-z]+)+|up)\{`).FindAllStringSubmatch(query, -1)
	if len(names) == 0 {
		t.Errorf("%s: the query %s has no metric", title, query)
	}
	for _, name := range names {
		if base := strings.TrimSuffix(name[1], "_bucket"); !known[base] {
			t.Errorf("%s: the metric %s does not exist", title, base)
		}
	}
}

// exportedMetrics returns the names of kongdao's own metrics, and of the metrics about kongdao that others export.
func exportedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{
		// Prometheus.
		"up": true,
		// pkg/certs.
		"kongdao_certificate_expiration_timestamp_seconds": true,
		// controller-runtime.
		"controller_runtime_webhook_requests_total":     true,
		"controller_runtime_webhook_requests_in_flight": true,
		// The API server.
		"apiserver_admission_webhook_rejection_count": true,
		"apiserver_admission_webhook_fail_open_count": true,
		// The process collector, which exports these on Linux only.
		"process_resident_memory_bytes": true,
		"process_cpu_seconds_total":     true,
	}
	registry := &nameRegistry{known: known}
	_, errAdmission := admission.NewMetrics(registry)
	_, errMigrations := migratecontroller.NewMetrics(registry, nil, nil)
	_, errPolicies := policycontroller.NewMetrics(registry)
	_, errEffects := policyeffects.NewRecorder(registry, "replica", nil, nil)
	errUninjected := new(uninjectedcontroller.Controller).RegisterMetrics(registry)
	errLibrary := librarycontroller.RegisterMetrics(registry, nil)
	if err := errors.Join(errAdmission, errMigrations, errPolicies, errEffects, errLibrary, errUninjected); err != nil {
		t.Fatal(err)
	}
	return known
}

// nameRegistry is a Prometheus registry that records only the names of metrics.
type nameRegistry struct {
	prometheus.Registerer
	known map[string]bool
}

// Register records the names of the collector's metrics.
func (n *nameRegistry) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 10)
	collector.Describe(descriptions)
	close(descriptions)
	for description := range descriptions {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(description.String())
		n.known[name[1]] = true
	}
	return nil
}
