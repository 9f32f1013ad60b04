package migratecontroller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
)

// Metrics are the metrics of migrations. Each label has a small, fixed set of values.
type Metrics struct {
	jobs        *prometheus.CounterVec
	failures    *prometheus.CounterVec
	phases      *prometheus.Desc
	cannotStart *prometheus.Desc
	gated       *prometheus.Desc
	cached      client.Reader
	pods        *clusterstate.InjectedPods
}

// NewMetrics registers the metrics. It reads PluginMigrations through cached, which must read from a cache.
func NewMetrics(
	registry prometheus.Registerer, cached client.Reader, pods *clusterstate.InjectedPods,
) (*Metrics, error) {
	metrics := &Metrics{
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_migration_jobs_total", Help: "Number of migration Jobs started, by step: up or finish.",
		}, []string{"step"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_migration_failures_total",
			Help: "Number of times that a migration failed or could not go on, by reason.",
		}, []string{"reason"}),
		phases: prometheus.NewDesc(
			"kongdao_plugin_migrations", "Number of PluginMigrations, by phase.", []string{"phase"}, nil),
		cannotStart: prometheus.NewDesc("kongdao_plugin_migrations_cannot_start",
			"Number of PluginMigrations whose Job or its pod cannot start.", nil, nil),
		gated:  prometheus.NewDesc("kongdao_gated_pods", "Number of pods that wait for a migration.", nil, nil),
		cached: cached, pods: pods,
	}
	for _, collector := range []prometheus.Collector{metrics.jobs, metrics.failures, metrics} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return metrics, nil
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- m.phases
	descriptions <- m.cannotStart
	descriptions <- m.gated
}

// collectTimeout limits how long a scrape waits for the cache.
const collectTimeout = time.Second

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	metrics <- prometheus.MustNewConstMetric(m.gated, prometheus.GaugeValue, float64(m.pods.CountGated()))
	// A cache that does not sync must not delay the other metrics.
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	var migrations v1alpha1.PluginMigrationList
	if err := m.cached.List(ctx, &migrations); err != nil {
		return
	}
	counts := map[v1alpha1.Phase]int{}
	for _, phase := range v1alpha1.Phases() {
		counts[phase] = 0 // an alert must see the count return to 0
	}
	cannotStart := 0
	for i := range migrations.Items {
		migration := &migrations.Items[i]
		if migration.Status.Phase != "" {
			counts[migration.Status.Phase]++
		}
		if migrate.CannotStart(migration) {
			cannotStart++
		}
	}
	metrics <- prometheus.MustNewConstMetric(m.cannotStart, prometheus.GaugeValue, float64(cannotStart))
	for phase, count := range counts {
		metrics <- prometheus.MustNewConstMetric(m.phases, prometheus.GaugeValue, float64(count), string(phase))
	}
}
