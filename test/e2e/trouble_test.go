//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/fixtures"
)

// failingSQL holds the new pods, tells the people who look at them, and lets the
// old ones serve; the next release goes on from there.
func failingSQL(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	g.serves()
	g.configure()
	s.publish(release100(t).version("1.0.1").with("001_broken", `return { postgres = { up = [[ CREAT TABLE x (); ]] } }`))
	g.ask("dao-test@1.0.1")
	record := s.reaches("dao-test@1.0.1", v1alpha1.PhaseFailed, "syntax error")
	if !strings.Contains(record.Status.LastOutput, "CREAT") {
		t.Errorf("the last output is %q", record.Status.LastOutput)
	}
	if waiting := g.waiting(); len(waiting) != 1 {
		t.Errorf("pods that wait: %q", waiting)
	}
	eventually(t, func() error {
		out, err := s.try("", "get", "events.events.k8s.io", "--field-selector=reason=MigrationFailed", "--output=jsonpath={range .items[*]}{.regarding.kind} {end}")
		if err == nil && (!strings.Contains(out, "ReplicaSet") || !strings.Contains(out, "PluginMigration")) {
			err = fmt.Errorf("Events tell of %q alone", out)
		}
		return err
	})
	if err := g.insert(t.Context(), "meanwhile"); err != nil {
		t.Errorf("the old pod does not serve: %v", err)
	}
	s.publish(release100(t).version("1.0.2").with("001_broken", `return { postgres = { up = [[ CREATE TABLE IF NOT EXISTS x (); ]] } }`))
	g.ask("dao-test@1.0.2")
	s.reaches("dao-test@1.0.2", v1alpha1.PhaseFinished, "")
	g.serves()
}

// editedMigration is one that was executed and whose file is another now (K9).
func editedMigration(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.1.0"})
	g.serves()
	changed := release110(t).version("1.1.1")
	changed["migrations/000_base_my_plugin.lua"] += "-- one column more\n"
	s.publish(changed)
	g.ask("dao-test@1.1.1")
	record := s.reaches("dao-test@1.1.1", v1alpha1.PhaseHeld, "Kong never runs a migration twice")
	condition := meta.FindStatusCondition(record.Status.Conditions, v1alpha1.ConditionMigrated)
	if condition == nil || condition.Reason != v1alpha1.ReasonEditedMigration || !strings.Contains(condition.Message, `"000_base_my_plugin"`) || strings.Count(condition.Message, "sha256:") != 2 {
		t.Errorf("the condition is %+v", condition)
	}
	if waiting := g.waiting(); len(waiting) != 1 {
		t.Errorf("pods that wait: %q", waiting)
	}
	s.run("", "annotate", "pluginmigration", record.Name, "kongdao.io/accept-edited=true")
	s.reaches("dao-test@1.1.1", v1alpha1.PhaseFinished, "")
	g.serves()
}

// unreachable is a database that is away when its pods come, for longer than a
// Job tries, and then back.
func unreachable(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	s.run("", "scale", "deployment/postgres", "--replicas=0")
	s.run("", "wait", "pods", "--for=delete", "-l", "app=postgres", "--timeout="+patience.String())
	g := d.startGateway(gatewayOptions{plugins: fixtures.Plugin})
	record := s.reaches("dao-test@1.1.0", v1alpha1.PhaseWaiting, "The next Job starts at")
	if record.Status.LastOutput == "" {
		t.Error("Kong has said nothing")
	}
	s.run("", "scale", "deployment/postgres", "--replicas=1")
	d.up()
	began := time.Now()
	s.reaches("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.serves()
	t.Logf("migrated %v after the database was back", time.Since(began).Round(time.Second))
}

// notVisible is a container of whose own mounts one hides the migrations: Kong
// would start and fail at each request (K5, K10).
func notVisible(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{
		plugins: fixtures.Plugin, mounts: ", {name: hides, mountPath: " + root + "/migrations}", volumes: ", {name: hides, emptyDir: {}}",
	})
	record := s.reaches("dao-test@1.1.0", v1alpha1.PhaseFailed, "Kong does not list")
	if condition := meta.FindStatusCondition(record.Status.Conditions, v1alpha1.ConditionMigrated); condition == nil || condition.Reason != v1alpha1.ReasonMigrationsNotListed {
		t.Errorf("the condition is %+v", condition)
	}
	if waiting := g.waiting(); len(waiting) != 1 {
		t.Errorf("pods that wait: %q", waiting)
	}
}

// killed proves that whoever is killed at whatever step, the migration goes on:
// the runner by SIGKILL, while it bootstraps, migrates and finishes, and the
// controller, all replicas of it, at each of these too.
func killed(t *testing.T, r release) {
	s := newSpace(t)
	d := s.startDatabase()
	slow := func(f files, name string) files {
		return f.with(name, `return { postgres = {
  up = [[ SELECT pg_sleep(4); ALTER TABLE "my_plugin_table" ADD COLUMN IF NOT EXISTS "`+name+`" INTEGER; ]],
  teardown = function(connector) assert(connector:query("SELECT pg_sleep(4)")) end,
} }`)
	}
	first := slow(release100(t), "c1")
	second := slow(first, "c2").version("1.0.1")
	s.publish(first)
	began := time.Now()
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	killAt(t, r, s, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	g.serves()
	s.reaches("dao-test@1.0.0", v1alpha1.PhaseFinished, "")
	t.Logf("bootstrapped in %v", time.Since(began).Round(time.Second))

	s.publish(second)
	g.ask("dao-test@1.0.1")
	killAt(t, r, s, "dao-test@1.0.1", v1alpha1.PhaseMigrating)
	killAt(t, r, s, "dao-test@1.0.1", v1alpha1.PhaseFinishing)
	s.reaches("dao-test@1.0.1", v1alpha1.PhaseFinished, "")
	g.serves()
	d.wantMigrations(t, "000_base_my_plugin,c1,c2", "")
	t.Logf("done after %v, with the runner and the controller killed three times each", time.Since(began).Round(time.Second))
}

// killAt kills the runner of a record, and the controller, as soon as it runs in
// a phase.
func killAt(t *testing.T, r release, s space, request string, phase v1alpha1.Phase) {
	t.Helper()
	eventually(t, func() error {
		record, there := s.records()[request]
		switch {
		case !there || record.Status.Phase != phase:
			return fmt.Errorf("%s is %s", request, record.Status.Phase)
		case s.run("", "get", "pods", "-l", "batch.kubernetes.io/job-name="+record.Status.Job, "--field-selector=status.phase=Running", "-o", "name") == "":
			return errors.New("the runner does not run")
		}
		s.run("", "delete", "pods", "-l", "batch.kubernetes.io/job-name="+record.Status.Job, "--force", "--grace-period=0")
		return nil
	})
	r.run("delete", "pods", "-l", "app.kubernetes.io/component=webhook", "--force", "--grace-period=0")
	r.run("rollout", "status", "deployment/kongdao-webhook", "--timeout="+patience.String())
}
