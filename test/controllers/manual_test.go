package controllers

import (
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestLeftToAPerson proves that with "up" nobody but a person starts "finish",
// and that pods do not wait for that.
func TestLeftToAPerson(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	careful := pod(ns, "careful", "dao-test@1.1.0")
	careful.Annotations[annotations.Migrations] = "up"
	create(t, careful)
	up := job(t, ns, "up")
	end(t, up, pending())
	lifted(t, careful)
	serve(t, careful)
	left := waitsFor(t, ns, "dao-test@1.1.0", v1alpha1.ReasonManualFinish, "Pending: dao-test: "+next, "kubectl annotate pluginmigration")
	wantJobs(t, ns, "up")
	kubectl(t, ns, "annotate", "pluginmigration", left.Name, annotations.Migrations+"=auto")
	end(t, job(t, ns, "finish"), done())
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestAnEditedMigration proves that one which was executed is held, in words that
// name the file and both digests, until a person says that it makes no difference.
func TestAnEditedMigration(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	source(t, ns, "dao-test", "1.0.1", base, "CREATE and more")
	migrated(t, ns, "first", "dao-test@1.0.0")
	const metric = `kongdao_migration_failures_total{reason="MigrationHeld"}`
	before := counted(t, metric)
	edited := pod(ns, "edited", "dao-test@1.0.1")
	create(t, edited)
	held := record(t, ns, "dao-test@1.0.1", v1alpha1.PhaseHeld)
	was := record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished).Spec.Plugins[0].Migrations[0].Digest
	now := held.Spec.Plugins[0].Migrations[0].Digest
	if was == now {
		t.Fatalf("both files have digest %s", was)
	}
	waitsFor(t, ns, "dao-test@1.0.1", v1alpha1.ReasonEditedMigration, base, was, now, annotations.AcceptEdited+"=true")
	wantEvent(t, ns, "PluginMigration", "MigrationHeld", base, was, now)
	if counted := counted(t, metric); counted <= before {
		t.Errorf("%s is %v, and was %v", metric, counted, before)
	}
	wantJobs(t, ns, "up")
	kubectl(t, ns, "annotate", "pluginmigration", held.Name, annotations.AcceptEdited+"=true")
	end(t, job(t, ns, "up"), done())
	record(t, ns, "dao-test@1.0.1", v1alpha1.PhaseFinished)
}
