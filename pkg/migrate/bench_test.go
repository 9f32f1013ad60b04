package migrate

import (
	"fmt"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// busyDatabase returns a snapshot of a database with PluginMigrations and ready pods. The pods are distributed over the
// PluginMigrations. The last PluginMigration has pending migrations, so that the plan looks for a pod to finish with.
func busyDatabase(migrations, pods int) Snapshot {
	builder := newBuilder()
	var requirements []Requirement
	for i := range migrations {
		requirement := requirementOf(releaseWith("dao-test", "000_base", "a", fmt.Sprintf("%03d_next", i+1), "b"))
		requirements = append(requirements, requirement)
		builder.migration(requirement, v1alpha1.PhaseFinished)
	}
	last := &builder.Migrations[migrations-1]
	last.Status.Phase, last.Status.Pending = v1alpha1.PhaseMigrated, []string{"dao-test: 000_base"}
	for i := range pods {
		requirement := requirements[i%migrations]
		builder.pod("ready", requirement)
		builder.Pods[i].Migration = requirement.MigrationName() // as a cache of pods does
	}
	return builder.Snapshot
}

// BenchmarkPlan measures a plan for 20 PluginMigrations and 2,000 pods.
func BenchmarkPlan(b *testing.B) {
	for _, size := range []struct{ migrations, pods int }{{1, 2000}, {20, 2000}} {
		snapshot := busyDatabase(size.migrations, size.pods)
		b.Run(fmt.Sprintf("%d-migrations-%d-pods", size.migrations, size.pods), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				snapshot.Plan()
			}
		})
	}
}

// TestPlanCost proves that the cost of a plan does not grow with the number of PluginMigrations times the number of
// pods: with many pods, further PluginMigrations are cheap. It compares the fastest of several plans, because other
// programs use the machine too.
func TestPlanCost(t *testing.T) {
	const rounds, maxRatio = 20, 3
	cost := func(snapshot Snapshot) time.Duration {
		fastest := time.Hour
		for range rounds {
			start := time.Now()
			snapshot.Plan()
			fastest = min(fastest, time.Since(start))
		}
		return fastest
	}
	one, many := cost(busyDatabase(1, 2000)), cost(busyDatabase(20, 2000))
	t.Logf("2,000 pods: %v with 1 PluginMigration, %v with 20", one, many)
	if ratio := float64(many) / float64(one); ratio > maxRatio {
		t.Errorf("a plan costs %.1f times as much with 20 PluginMigrations as with one, want at most %d", ratio, maxRatio)
	}
}
