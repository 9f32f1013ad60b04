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

// testFailingSQL checks that a migration with invalid SQL holds the new pods and creates Events. The old pod continues
// to serve, and the next release fixes the migration.
func testFailingSQL(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	g.waitReady()
	g.configure()
	s.publish(release100(t).version("1.0.1").with(
		"001_broken", `return { postgres = { up = [[ CREAT TABLE x (); ]] } }`))
	g.requestPlugins("dao-test@1.0.1")
	migration := s.waitPhase("dao-test@1.0.1", v1alpha1.PhaseFailed, "syntax error")
	if !strings.Contains(migration.Status.LastOutput, "CREAT") {
		t.Errorf("lastOutput = %q; want the failed statement", migration.Status.LastOutput)
	}
	if gated := g.gatedPods(); len(gated) != 1 {
		t.Errorf("pods %q have a gate; want one", gated)
	}
	eventually(t, func() error {
		out, err := s.try("", "get", "events.events.k8s.io", "--field-selector=reason=MigrationFailed",
			"--output=jsonpath={range .items[*]}{.regarding.kind} {end}")
		if err == nil && (!strings.Contains(out, "ReplicaSet") || !strings.Contains(out, "PluginMigration")) {
			err = fmt.Errorf("there are Events on the kinds %q; want ReplicaSet and PluginMigration", out)
		}
		return err
	})
	// A deleted PluginMigration is tried again. The Event on the ReplicaSet counts the second failure.
	s.run("", "delete", "pluginmigration", migration.Name)
	s.waitPhase("dao-test@1.0.1", v1alpha1.PhaseFailed, "syntax error")
	eventually(t, func() error {
		out, err := s.try("", "get", "events.events.k8s.io", "--field-selector=reason=MigrationFailed",
			"--output=jsonpath={range .items[*]}{.regarding.kind}={.series.count} {end}")
		if err == nil && !strings.Contains(out, "ReplicaSet=2") {
			err = fmt.Errorf("the Events count %q; want two on the ReplicaSet", out)
		}
		return err
	})
	if err := g.insert(t.Context(), "meanwhile"); err != nil {
		t.Errorf("the old pod does not serve: %v", err)
	}
	s.publish(release100(t).version("1.0.2").with(
		"001_broken", `return { postgres = { up = [[ CREATE TABLE IF NOT EXISTS x (); ]] } }`))
	g.requestPlugins("dao-test@1.0.2")
	s.waitPhase("dao-test@1.0.2", v1alpha1.PhaseFinished, "")
	g.waitReady()
}

// testEditedMigration edits the file of an executed migration, which Kong never runs again (fact K9).
func testEditedMigration(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.1.0"})
	g.waitReady()
	changed := release110(t).version("1.1.1")
	changed["migrations/000_base_my_plugin.lua"] += "-- one column more\n"
	s.publish(changed)
	g.requestPlugins("dao-test@1.1.1")
	migration := s.waitPhase("dao-test@1.1.1", v1alpha1.PhaseHeld, "Kong never runs a migration twice")
	condition := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionMigrated)
	if condition == nil || condition.Reason != v1alpha1.ReasonEditedMigration ||
		!strings.Contains(condition.Message, `"000_base_my_plugin"`) || strings.Count(condition.Message, "sha256:") != 2 {
		t.Errorf("condition = %+v; want the name of the migration and two digests", condition)
	}
	if gated := g.gatedPods(); len(gated) != 1 {
		t.Errorf("pods %q have a gate; want one", gated)
	}
	s.run("", "annotate", "pluginmigration", migration.Name, "kongdao.io/accept-edited=true")
	s.waitPhase("dao-test@1.1.1", v1alpha1.PhaseFinished, "")
	g.waitReady()
}

// testUnreachableDatabase stops the database for longer than the deadline of a Job.
func testUnreachableDatabase(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	s.run("", "scale", "deployment/postgres", "--replicas=0")
	s.run("", "wait", "pods", "--for=delete", "-l", "app=postgres", "--timeout="+waitTimeout.String())
	g := d.startGateway(gatewayOptions{plugins: fixtures.Plugin})
	migration := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseWaiting, "The next Job starts at")
	if migration.Status.LastOutput == "" {
		t.Error("lastOutput is empty; want the output of Kong")
	}
	s.run("", "scale", "deployment/postgres", "--replicas=1")
	d.waitReady()
	start := time.Now()
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.waitReady()
	t.Logf("migrated %v after the database was ready again", time.Since(start).Round(time.Second))
}

// testWrongImage fixes a Deployment whose image does not exist. The Job of the wrong image is replaced.
func testWrongImage(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{plugins: fixtures.Plugin, image: kongImage + "-typo"})
	migration := s.waitCannotStart("dao-test@1.1.0", kongImage+"-typo")
	s.run("", "set", "image", "deployment/kong", "*="+kongImage)
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.waitReady()
	events := s.run("", "get", "events", "--field-selector=involvedObject.name="+migration.Name, "-o", "wide")
	for _, reason := range []string{"MigrationStarted", "MigrationCannotStart", "MigrationFinished"} {
		if !strings.Contains(events, reason) {
			t.Errorf("no Event %s:\n%s", reason, events)
		}
	}
}

// testQuota forbids the pod of the Job. The status has the message of the API server.
func testQuota(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	s.run("", "create", "quota", "few", "--hard=pods=2") // for PostgreSQL and Kong
	g := d.startGateway(gatewayOptions{plugins: fixtures.Plugin})
	s.waitCannotStart("dao-test@1.1.0", "exceeded quota: few")
	s.run("", "delete", "quota", "few")
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.waitReady()
}

// waitCannotStart waits until the PluginMigration of a request says why its Job cannot start.
func (s space) waitCannotStart(request, message string) (migration v1alpha1.PluginMigration) {
	s.t.Helper()
	eventually(s.t, func() error {
		migration = s.migrations()[request]
		condition := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionMigrated)
		if condition == nil || condition.Reason != v1alpha1.ReasonCannotStart ||
			!strings.Contains(condition.Message, message) {
			return fmt.Errorf("the condition is %+v, want the reason %s and %q", condition, v1alpha1.ReasonCannotStart, message)
		}
		return nil
	})
	return migration
}

// testHiddenMigrations uses a container with its own mount over the migrations. Kong would start without them, and each
// request would fail (fact K5). "up" would report success (fact K10).
func testHiddenMigrations(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	g := d.startGateway(gatewayOptions{
		plugins: fixtures.Plugin,
		mounts:  ", {name: hides, mountPath: " + root + "/migrations}", volumes: ", {name: hides, emptyDir: {}}",
	})
	migration := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFailed, "Kong does not list")
	condition := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionMigrated)
	if condition == nil || condition.Reason != v1alpha1.ReasonMigrationsNotListed {
		t.Errorf("condition = %+v; want the reason %s", condition, v1alpha1.ReasonMigrationsNotListed)
	}
	if gated := g.gatedPods(); len(gated) != 1 {
		t.Errorf("pods %q have a gate; want one", gated)
	}
}

// testKilledPods kills the Job's pod and all replicas of kongdao during bootstrap, "up" and "finish", and checks that
// the migration continues.
func testKilledPods(t *testing.T, r release) {
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
	start := time.Now()
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	killInPhase(t, r, s, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	g.waitReady()
	s.waitPhase("dao-test@1.0.0", v1alpha1.PhaseFinished, "")
	t.Logf("bootstrapped in %v", time.Since(start).Round(time.Second))

	s.publish(second)
	g.requestPlugins("dao-test@1.0.1")
	killInPhase(t, r, s, "dao-test@1.0.1", v1alpha1.PhaseMigrating)
	killInPhase(t, r, s, "dao-test@1.0.1", v1alpha1.PhaseFinishing)
	s.waitPhase("dao-test@1.0.1", v1alpha1.PhaseFinished, "")
	g.waitReady()
	d.wantMigrations(t, "000_base_my_plugin,c1,c2", "")
	took := time.Since(start).Round(time.Second)
	t.Logf("finished after %v; the Job's pod and kongdao were killed three times each", took)
}

// killInPhase kills the Job's pod and all replicas of kongdao when the PluginMigration has the phase.
func killInPhase(t *testing.T, r release, s space, request string, phase v1alpha1.Phase) {
	t.Helper()
	eventually(t, func() error {
		migration, exists := s.migrations()[request]
		if !exists || migration.Status.Phase != phase {
			return fmt.Errorf("%s has the phase %s; want %s", request, migration.Status.Phase, phase)
		}
		selector := "batch.kubernetes.io/job-name=" + migration.Status.Job
		if s.run("", "get", "pods", "-l", selector, "--field-selector=status.phase=Running", "-o", "name") == "" {
			return errors.New("the pod of the Job does not run")
		}
		s.run("", "delete", "pods", "-l", selector, "--force", "--grace-period=0")
		return nil
	})
	r.run("delete", "pods", "-l", allPods, "--force", "--grace-period=0")
	r.waitRollouts()
}
