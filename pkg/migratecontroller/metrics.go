package migratecontroller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// Metrics count what Jobs there were and what failed, and show how far
// migrations are. Every label is of a small fixed set.
type Metrics struct {
	jobs     *prometheus.CounterVec
	failures *prometheus.CounterVec
	phases   *prometheus.Desc
	gated    *prometheus.Desc
	reader   client.Reader
	pods     *clusterstate.InjectedPods
}

// NewMetrics registers the metrics. reader is a cache.
func NewMetrics(registry prometheus.Registerer, reader client.Reader, pods *clusterstate.InjectedPods) (*Metrics, error) {
	metrics := &Metrics{
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_migration_jobs_total", Help: "Jobs started, by what they run: up or finish.",
		}, []string{"step"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_migration_failures_total", Help: "Migrations that failed or are held, by reason.",
		}, []string{"reason"}),
		phases: prometheus.NewDesc("kongdao_plugin_migrations", "PluginMigrations, by phase.", []string{"phase"}, nil),
		gated:  prometheus.NewDesc("kongdao_gated_pods", "Pods that wait for a migration.", nil, nil),
		reader: reader, pods: pods,
	}
	for _, collector := range []prometheus.Collector{metrics.jobs, metrics.failures, metrics} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return metrics, nil
}

// Describe is that of a prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- m.phases
	descriptions <- m.gated
}

// collectLimit is how long the cache is waited for.
const collectLimit = time.Second

// Collect is that of a prometheus.Collector.
func (m *Metrics) Collect(collected chan<- prometheus.Metric) {
	collected <- prometheus.MustNewConstMetric(m.gated, prometheus.GaugeValue, float64(m.pods.CountGated()))
	// A cache that is not filled yet, or cannot be, must not keep all other metrics back.
	ctx, cancel := context.WithTimeout(context.Background(), collectLimit)
	defer cancel()
	var records v1alpha1.PluginMigrationList
	if err := m.reader.List(ctx, &records); err != nil {
		return
	}
	counts := map[v1alpha1.Phase]int{}
	for _, phase := range []v1alpha1.Phase{v1alpha1.Waiting, v1alpha1.Migrating, v1alpha1.Migrated, v1alpha1.Finishing, v1alpha1.Finished, v1alpha1.Held, v1alpha1.Failed} {
		counts[phase] = 0 // an alert wants to see it fall to nothing
	}
	for _, record := range records.Items {
		if record.Status.Phase != "" {
			counts[record.Status.Phase]++
		}
	}
	for phase, count := range counts {
		collected <- prometheus.MustNewConstMetric(m.phases, prometheus.GaugeValue, float64(count), string(phase))
	}
}
