//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// shortMigrations shortens the deadline of Jobs, so that retries are early, and keeps one unneeded PluginMigration.
// The pods of Jobs have the label of testMesh. Automatic rollouts are enabled.
const shortMigrations = "--set=migrations.timeoutSeconds=20,migrations.deadlineSeconds=30,migrations.history=1," +
	"migrations.podLabels.mesh=enabled,rollouts.enabled=true"

// TestMigrations checks, with real pods and PostgreSQL, that kongdao migrates a database before the pods that need it
// start, and finishes the migration after the last old pod. Each subtest has its own namespace and database.
func TestMigrations(t *testing.T) {
	r := install(t, shortMigrations)
	r.waitReady()
	t.Run("parallel", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T){
			"three releases": testThreeReleases, "two Deployments": testTwoDeployments,
			"edited migration": testEditedMigration, "failing SQL": testFailingSQL, "slow migration": testSlowMigration,
			"unreachable database": testUnreachableDatabase, "hidden migrations": testHiddenMigrations,
			"the chart's Jobs": testChartJobs, "manual finish": testManualFinish, "migrations off": testMigrationsOff,
			"contract of Kong":        testKongContract,
			"sidecar":                 func(t *testing.T) { testSidecars(t, false) },
			"native sidecar":          func(t *testing.T) { testSidecars(t, true) },
			"wrong image":             testWrongImage,
			"the chart with sidecars": testChartWithSidecars,
			"mesh":                    func(t *testing.T) { testMesh(t, false) },
			"native mesh":             func(t *testing.T) { testMesh(t, true) },
			"stopped Job":             testStoppedJob,
			"upgrade command":         testUpgradeCommand,
			"troubleshooting":         testTroubleshooting,
			"quota":                   testQuota,
			"verify":                  testVerify,
			"automatic rollouts":      testAutomaticRollouts,
			"other kinds":             testRolloutsOfOtherKinds,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
		for name, start := range startingPoints() {
			t.Run("from "+name, func(t *testing.T) {
				t.Parallel()
				testStartingPoint(t, start)
			})
		}
	})
	t.Run("killed pods", func(t *testing.T) { testKilledPods(t, r) })
	t.Run("no leader", func(t *testing.T) { testNoLeader(t, r) })
	r.wantPermissionsUsed(forMigrations)
	r.uninstall()
}

// testThreeReleases rolls out three releases of a plugin. The second and the third rollout happen under traffic.
func testThreeReleases(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	g.waitReady()
	first := s.waitPhase("dao-test@1.0.0", v1alpha1.PhaseFinished, "")
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "first") })
	if row := d.mustSQL(`SELECT mykey FROM my_plugin_table`); row != "first" {
		t.Errorf("the table has the rows %q; want \"first\"", row)
	}
	d.wantMigrations(t, "000_base_my_plugin", "")

	flow := g.traffic()
	g.rollOut("dao-test@1.1.0", release110(t))
	second := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
	// Pending migrations make the next "up" fail, so this release needs the "finish" of the second one (fact K11).
	g.rollOut("dao-test@1.2.0", release120(t))
	third := s.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110,002_110_to_120", "")
	flow.end("two further releases")
	rows := d.mustSQL(`SELECT count(*) FROM my_plugin_table
		WHERE mykey = 'first' AND origin = 'before 1.1.0' AND seen = 1`)
	if rows != "1" {
		t.Errorf("the teardowns changed %s rows; want 1", rows)
	}
	for _, migration := range []v1alpha1.PluginMigration{first, second, third} {
		status := migration.Status
		t.Logf("%s: migrated %v after its creation, finished %v later", migration.Spec.Request,
			status.MigratedTime.Sub(migration.CreationTimestamp.Time), status.FinishedTime.Sub(status.MigratedTime.Time))
	}
	// The history keeps the second PluginMigration and drops the first.
	eventually(t, func() error {
		table := s.run("", "get", "pluginmigrations")
		if strings.Count(table, "Finished") != 2 || !strings.Contains(table, "dao-test@1.1.0") ||
			!strings.Contains(table, d.host+":5432/kong") {
			return errors.New("kubectl get pluginmigrations prints\n" + table)
		}
		return nil
	})
}

// hasMigrated reports whether a Job has run "up" for a PluginMigration.
func (s space) hasMigrated(migration v1alpha1.PluginMigration) bool {
	s.t.Helper()
	selector := annotations.Migration + "=" + migration.Name + "," + annotations.Step + "=up"
	return strings.Contains(s.run("", "get", "jobs", "-l", selector, "-o", "jsonpath={.items[*].status.succeeded}"), "1")
}

// rollOut publishes a release, requests it, and checks the order. No new pod starts before "up", "finish" runs after
// the last old pod, and at the end the new pod is ready.
func (g gateway) rollOut(request string, release files) {
	g.t.Helper()
	old := g.pods()
	g.publish(release)
	g.requestPlugins(request)
	isOld := func(pod corev1.Pod) bool {
		return slices.ContainsFunc(old, func(other corev1.Pod) bool { return other.UID == pod.UID })
	}
	eventually(g.t, func() error {
		before := g.pods()
		migration, exists := g.migrations()[request]
		after := g.pods()
		if !exists {
			return errors.New("there is no PluginMigration yet")
		}
		for _, pod := range before {
			// The controller removes the gates before it writes the status.
			if !isOld(pod) && pod.Spec.NodeName != "" && migration.Status.MigratedTime == nil && !g.hasMigrated(migration) {
				g.t.Fatalf("pod %s started before the database was migrated: %+v", pod.Name, migration.Status)
			}
		}
		if migration.Status.Phase != v1alpha1.PhaseFinished {
			return fmt.Errorf("%s is %s: %s", migration.Name, migration.Status.Phase, migration.Status.Message)
		}
		if slices.ContainsFunc(after, isOld) {
			g.t.Fatalf("finished at %v, but an old pod is left", migration.Status.FinishedTime)
		}
		return nil
	})
	g.waitReady()
}

// testTwoDeployments checks that two Deployments with one database share one PluginMigration and one Job.
func testTwoDeployments(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	a := d.startGateway(gatewayOptions{name: "kong-a", plugins: "dao-test"})
	b := d.startGateway(gatewayOptions{name: "kong-b", plugins: "dao-test"})
	a.waitReady()
	b.waitReady()
	if migrations := s.migrations(); len(migrations) != 1 {
		t.Errorf("there are %d PluginMigrations; want 1", len(migrations))
	}
	if jobs := strings.Fields(s.run("", "get", "jobs", "-o", "name")); len(jobs) != 1 {
		t.Errorf("there are the Jobs %q; want one", jobs)
	}
}

// testSlowMigration runs a migration that takes longer than Kong's default timeout of 5 s (fact K14).
func testSlowMigration(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	slow := release110(t).version("1.3.0").with("002_slow", `return { postgres = { up = [[ SELECT pg_sleep(8); ]] } }`)
	s.publish(slow)
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.3.0"})
	g.waitReady()
	migration := s.waitPhase("dao-test@1.3.0", v1alpha1.PhaseFinished, "")
	took := migration.Status.MigratedTime.Sub(migration.CreationTimestamp.Time)
	if migration.Status.Attempts != 1 || took < 8*time.Second {
		t.Errorf("%d Jobs in %v; want one Job in at least 8 s", migration.Status.Attempts, took)
	}
}

// testManualFinish checks that kongdao does not run "finish" until a person requests it.
func testManualFinish(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	g.waitReady()
	s.publish(release110(t))
	s.run("", "annotate", "deployment", g.name, annotations.Migrations+"=up")
	g.requestPlugins("dao-test@1.1.0")
	migration := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseMigrated, `kongdao does not run "kong migrations finish"`)
	d.wantMigrations(t, "000_base_my_plugin", "001_100_to_110")
	g.waitReady()
	s.run("", "annotate", "pluginmigration", migration.Name, annotations.Migrations+"=auto")
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
}

// testMigrationsOff checks that there is no gate and no Job. Then the chart's init container waits until another Job
// has migrated the database (fact K26).
func testMigrationsOff(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	off := ", " + annotations.Migrations + `: "off"`
	g := d.startGateway(gatewayOptions{plugins: "dao-test", annotations: off})
	eventually(t, func() error {
		if pods := g.pods(); len(pods) != 1 || pods[0].Status.StartTime == nil {
			return fmt.Errorf("there are %d pods, or the pod has not started", len(pods))
		}
		return nil
	})
	if len(g.gatedPods()) > 0 || len(s.migrations()) > 0 {
		t.Errorf("pods %q have a gate, and there are %d PluginMigrations; want none", g.gatedPods(), len(s.migrations()))
	}
	s.runKong("bootstrap", "dao-test", "bootstrap")
	g.waitReady()
}

// testNoLeader checks that a migrated database needs no controller. Another holder has the lease, and the new pods of a
// gateway start immediately.
func testNoLeader(t *testing.T, r release) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test"})
	g.waitReady()
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	lease := fmt.Sprintf(`{"spec":{"holderIdentity":"other","leaseDurationSeconds":3600,"renewTime":%q}}`,
		time.Now().UTC().Format(metav1.RFC3339Micro))
	r.run("patch", "lease", "kongdao-migrations", "--type=merge", "--patch="+lease)
	t.Cleanup(func() {
		_, _ = kubectl(context.Background(), "", "-n", system, "delete", "lease", "kongdao-migrations", "--ignore-not-found")
	})
	// The leader exits when it loses the lease. Then it starts again without the lease.
	eventually(t, func() error { return s.create(t.Context(), false, false) })
	start := time.Now()
	g.scale(3)
	g.waitReady()
	t.Logf("scaled to 3 replicas in %v without a leader", time.Since(start).Round(100*time.Millisecond))
	if gated := g.gatedPods(); len(gated) > 0 {
		t.Errorf("pods %q have a gate; want none", gated)
	}
	r.run("delete", "lease", "kongdao-migrations")
}
