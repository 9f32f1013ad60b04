package controllers

import (
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestManualFinish proves that kongdao does not run "finish" for a pod with the annotation "up" until a person allows
// it. No pod waits for that.
func TestManualFinish(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	manual := pod(ns, "manual", "dao-test@1.1.0")
	manual.Annotations[annotations.Migrations] = "up"
	shared.Create(t, manual)
	up := runningJob(t, ns, "up")
	endJob(t, up, pending())
	wantUngated(t, manual)
	makeReady(t, manual)
	migration := wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonManualFinish,
		"Pending: dao-test: "+next, "kubectl annotate pluginmigration")
	wantJobs(t, ns, "up")
	kubectl(t, ns, "annotate", "pluginmigration", migration.Name, annotations.Migrations+"=auto")
	endJob(t, runningJob(t, ns, "finish"), done())
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestEditedMigration proves that a PluginMigration is held if a file changed after Kong executed it. The message names
// the migration and both digests. A person can accept the change.
func TestEditedMigration(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	source(t, ns, "dao-test", "1.0.1", base, "CREATE and more")
	migrateWith(t, ns, "first", "dao-test@1.0.0")
	const metric = `kongdao_migration_failures_total{reason="MigrationHeld"}`
	before := metricValue(t, metric)
	edited := pod(ns, "edited", "dao-test@1.0.1")
	shared.Create(t, edited)
	held := migrationInPhase(t, ns, "dao-test@1.0.1", v1alpha1.PhaseHeld)
	was := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished).Spec.Plugins[0].Migrations[0].Digest
	now := held.Spec.Plugins[0].Migrations[0].Digest
	if was == now {
		t.Fatalf("both files have digest %s", was)
	}
	wantMessage(t, ns, "dao-test@1.0.1", v1alpha1.ReasonEditedMigration, base, was, now, annotations.AcceptEdited+"=true")
	wantEvent(t, ns, "PluginMigration", "MigrationHeld", base, was, now)
	if value := metricValue(t, metric); value <= before {
		t.Errorf("%s is %v, want more than %v", metric, value, before)
	}
	wantJobs(t, ns, "up")
	kubectl(t, ns, "annotate", "pluginmigration", held.Name, annotations.AcceptEdited+"=true")
	endJob(t, runningJob(t, ns, "up"), done())
	migrationInPhase(t, ns, "dao-test@1.0.1", v1alpha1.PhaseFinished)
}
