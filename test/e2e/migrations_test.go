//go:build e2e

package e2e

import (
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

// brief makes Jobs give up soon, so that what is tried again is tried again
// soon, and keeps of the past one PluginMigration.
const brief = "--set=migrations.timeoutSeconds=20,migrations.deadlineSeconds=30,migrations.history=1"

// TestMigrations proves on real pods, with a real PostgreSQL, that a database is
// migrated before the pods that need it start, and finished when the last old
// one is gone. Each subtest has a namespace and a database of its own.
func TestMigrations(t *testing.T) {
	r := install(t, brief)
	r.rolledOut()
	t.Run("together", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T){
			"releases": releases, "two Deployments": twoDeployments, "edited": editedMigration, "failing SQL": failingSQL,
			"slow": slowMigration, "unreachable": unreachable, "not visible": notVisible, "the chart's jobs": besideTheChartsJobs,
			"left to a person": leftToAPerson, "switched off": switchedOff, "Kong itself": kongItself,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
		for name, start := range startingPoints() {
			t.Run("from "+name, func(t *testing.T) {
				t.Parallel()
				startsFrom(t, start)
			})
		}
	})
	t.Run("killed", func(t *testing.T) { killed(t, r) })
	t.Run("nobody leads", func(t *testing.T) { nobodyLeads(t, r) })
	r.wantRightsUsed(ofMigrations)
	r.uninstall()
}

// releases is the whole way: a plugin, its second release and its third, while
// requests come without pause.
func releases(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	g.serves()
	first := s.reaches("dao-test@1.0.0", v1alpha1.PhaseFinished, "")
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "first") })
	if row := d.mustSQL(`SELECT mykey FROM my_plugin_table`); row != "first" {
		t.Errorf("the rows are %q", row)
	}
	d.wantMigrations(t, "000_base_my_plugin", "")

	flow := g.traffic()
	g.rolls("dao-test@1.1.0", release110(t))
	second := s.reaches("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
	// With a Job that runs "up" alone this is where it ends (K11).
	g.rolls("dao-test@1.2.0", release120(t))
	third := s.reaches("dao-test@1.2.0", v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110,002_110_to_120", "")
	flow.end("two further releases")
	if rows := d.mustSQL(`SELECT count(*) FROM my_plugin_table WHERE mykey = 'first' AND origin = 'before 1.1.0' AND seen = 1`); rows != "1" {
		t.Errorf("the teardowns have changed %s rows", rows)
	}
	for _, record := range []v1alpha1.PluginMigration{first, second, third} {
		t.Logf("%s: migrated %v after it was asked for, finished %v later", record.Spec.Request,
			record.Status.MigratedTime.Sub(record.CreationTimestamp.Time), record.Status.FinishedTime.Sub(record.Status.MigratedTime.Time))
	}
	eventually(t, func() error { // the second was kept, the first has gone
		table := s.run("", "get", "pluginmigrations")
		if strings.Count(table, "Finished") != 2 || !strings.Contains(table, "dao-test@1.1.0") || !strings.Contains(table, d.host+":5432/kong") {
			return errors.New("kubectl shows\n" + table)
		}
		return nil
	})
}

// rolls publishes a release, asks for it, and proves the order: no pod of it
// starts before Kong has run "up", none is finished while an old pod is left,
// and in the end one new pod serves.
func (g gateway) rolls(request string, release files) {
	g.t.Helper()
	old := g.pods()
	g.publish(release)
	g.ask(request)
	isOld := func(pod corev1.Pod) bool {
		return slices.ContainsFunc(old, func(other corev1.Pod) bool { return other.UID == pod.UID })
	}
	eventually(g.t, func() error {
		before := g.pods()
		record, there := g.records()[request]
		after := g.pods()
		if !there {
			return errors.New("there is no PluginMigration yet")
		}
		for _, pod := range before {
			if !isOld(pod) && pod.Spec.NodeName != "" && record.Status.MigratedTime == nil {
				g.t.Fatalf("pod %s started before the database was migrated: %+v", pod.Name, record.Status)
			}
		}
		if record.Status.Phase != v1alpha1.PhaseFinished {
			return fmt.Errorf("%s is %s: %s", record.Name, record.Status.Phase, record.Status.Message)
		}
		if slices.ContainsFunc(after, isOld) {
			g.t.Fatalf("finished at %v, and an old pod is left", record.Status.FinishedTime)
		}
		return nil
	})
	g.serves()
}

// twoDeployments of one database share one migration, and one Job.
func twoDeployments(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	a, b := d.startGateway(gatewayOptions{name: "kong-a", plugins: "dao-test"}), d.startGateway(gatewayOptions{name: "kong-b", plugins: "dao-test"})
	a.serves()
	b.serves()
	if records := s.records(); len(records) != 1 {
		t.Errorf("there are %d PluginMigrations", len(records))
	}
	if jobs := strings.Fields(s.run("", "get", "jobs", "-o", "name")); len(jobs) != 1 {
		t.Errorf("there are the Jobs %q", jobs)
	}
}

// slowMigration takes longer than Kong's own timeout of 5 s (K14).
func slowMigration(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t).version("1.3.0").with("002_slow", `return { postgres = { up = [[ SELECT pg_sleep(8); ]] } }`))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.3.0"})
	g.serves()
	record := s.reaches("dao-test@1.3.0", v1alpha1.PhaseFinished, "")
	if record.Status.Attempts != 1 || record.Status.MigratedTime.Sub(record.CreationTimestamp.Time) < 8*time.Second {
		t.Errorf("%d Jobs, in %v", record.Status.Attempts, record.Status.MigratedTime.Sub(record.CreationTimestamp.Time))
	}
}

// leftToAPerson waits with "finish" until somebody says so.
func leftToAPerson(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	g.serves()
	s.publish(release110(t))
	s.run("", "annotate", "deployment", g.name, annotations.Migrations+"=up")
	g.ask("dao-test@1.1.0")
	record := s.reaches("dao-test@1.1.0", v1alpha1.PhaseMigrated, `leaves "kong migrations finish" to a person`)
	d.wantMigrations(t, "000_base_my_plugin", "001_100_to_110")
	g.serves()
	s.run("", "annotate", "pluginmigration", record.Name, annotations.Migrations+"=auto")
	s.reaches("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
}

// switchedOff has no gate and no Job: Kong itself waits, in the chart's way (K26).
func switchedOff(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test", annotations: ", " + annotations.Migrations + `: "off"`})
	eventually(t, func() error {
		if pods := g.pods(); len(pods) != 1 || pods[0].Status.StartTime == nil {
			return fmt.Errorf("%d pods, or none started", len(pods))
		}
		return nil
	})
	if len(g.waiting()) > 0 || len(s.records()) > 0 {
		t.Errorf("%q wait, and there are %d PluginMigrations", g.waiting(), len(s.records()))
	}
	s.runKong("bootstrap", "dao-test", "bootstrap")
	g.serves()
}

// nobodyLeads proves that a database which is migrated needs no controller: with
// the lease in another's hand, pods of a gateway that is scaled out start at once.
func nobodyLeads(t *testing.T, r release) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test"})
	g.serves()
	s.reaches("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	lease := fmt.Sprintf(`{"spec":{"holderIdentity":"nobody","leaseDurationSeconds":3600,"renewTime":%q}}`, time.Now().UTC().Format(metav1.RFC3339Micro))
	r.run("patch", "lease", "kongdao-migrations", "--type=merge", "--patch="+lease)
	t.Cleanup(func() {
		_, _ = kubectl(t.Context(), "", "-n", system, "delete", "lease", "kongdao-migrations", "--ignore-not-found")
	})
	// Who led notices, ends, and comes back as one who waits.
	eventually(t, func() error { return s.create(t.Context(), false, false) })
	began := time.Now()
	g.scale(3)
	g.serves()
	t.Logf("scaled out in %v, with nobody to lift a gate", time.Since(began).Round(100*time.Millisecond))
	if waiting := g.waiting(); len(waiting) > 0 {
		t.Errorf("pods wait: %q", waiting)
	}
	r.run("delete", "lease", "kongdao-migrations")
}
