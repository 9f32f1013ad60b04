package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

// wantEvent waits for an Event of type Warning about an object of a kind.
func wantEvent(t *testing.T, namespace, kind, reason string, texts ...string) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := webhook.Admin.List(ctx, &events, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Regarding.Kind != kind || event.Reason != reason || event.Type != corev1.EventTypeWarning {
				continue
			}
			for _, text := range texts {
				if !strings.Contains(event.Note, text) {
					return fmt.Errorf("%q is not in the Event: %s", text, event.Note)
				}
			}
			return nil
		}
		return fmt.Errorf("none of %d Events has the reason %s and is about a %s", len(events.Items), reason, kind)
	})
}

// metricValue returns the value of a metric, or 0 if the controller does not have it.
func metricValue(t *testing.T, series string) float64 {
	t.Helper()
	text, err := controller.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for sample := range strings.Lines(text) {
		var value float64
		if rest, found := strings.CutPrefix(sample, series+" "); found {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	return 0
}

// TestFailedMigration proves what users see if a migration fails. The pods wait, the PluginMigration and the owner of
// the pods have an Event with the output of Kong, and a metric counts the failure. To delete the PluginMigration starts
// another try.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	const metric = `kongdao_migration_failures_total{reason="MigrationFailed"}`
	before := metricValue(t, metric)
	shared.Create(t, deployment(ns, "kong", 2))
	waiting := podsOf(t, ns, "kong", 2, isGated)
	first := runningJob(t, ns, "up")
	const output = `Error: [PostgreSQL error] relation "x" does not exist`
	endJob(t, first, failed(output))
	migration := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFailed)
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobFailed,
		output, "kubectl delete pluginmigration "+migration.Name+" -n "+ns)
	wantEvent(t, ns, "PluginMigration", "MigrationFailed", output)
	wantEvent(t, ns, "ReplicaSet", "MigrationFailed", output, migration.Name)
	if now := metricValue(t, metric); now <= before {
		t.Errorf("%s is %v, want more than %v", metric, now, before)
	}
	if gated := metricValue(t, "kongdao_gated_pods"); gated < 2 {
		t.Errorf("kongdao_gated_pods is %v", gated)
	}
	podsOf(t, ns, "kong", 2, isGated)
	wantJobs(t, ns, "up") // another Job would fail too

	kubectl(t, ns, "delete", "pluginmigration", migration.Name)
	waitUntilGone(t, first) // the garbage collector deletes the Job
	second := runningJob(t, ns, "up")
	if second.Name == first.Name {
		t.Errorf("the Job of the new PluginMigration has the name of the first one: %s", first.Name)
	}
	endJob(t, second, done())
	wantUngated(t, waiting...)
	migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
}

// TestJobEnds proves how the result of a Job reaches the status of its PluginMigration.
func TestJobEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end     jobEnd
		phase   v1alpha1.Phase
		reason  string
		message string
	}{
		"unlisted": {
			jobEnd{12, "unlisted\ndao-test: " + base},
			v1alpha1.PhaseFailed, v1alpha1.ReasonMigrationsNotListed, "Kong does not list dao-test: " + base,
		},
		"empty": {
			jobEnd{14, "empty\nthe database was never bootstrapped"},
			v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed, "never bootstrapped",
		},
		"message of the kubelet": {
			jobEnd{13, "sh: kong: not found"}, v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed, "sh: kong: not found",
		},
		"no message": {jobEnd{13, ""}, v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed, "exit code 13"},
		"blocked while no Kong runs": {
			blocked("acl: 004_x"), v1alpha1.PhaseMigrating, v1alpha1.ReasonJobStarting, "its pod starts",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := shared.CreateNamespace(t)
			daoTest(t, ns)
			made := pod(ns, "kong", "dao-test@1.0.0")
			shared.Create(t, made)
			endJob(t, runningJob(t, ns, "up"), test.end)
			wantMessage(t, ns, "dao-test@1.0.0", test.reason, test.message)
			migrationInPhase(t, ns, "dao-test@1.0.0", test.phase)
			if get(t, made); !isGated(made) {
				t.Error("the pod has no gate")
			}
		})
	}
}

// TestUnreachableDatabase proves that the controller tries again with a new Job if the database does not answer.
func TestUnreachableDatabase(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, made)
	const output = "Error: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: connection refused"
	endJob(t, runningJob(t, ns, "up"), jobEnd{11, "deadline\n" + output})
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonDatabaseUnreachable, "The next Job starts at",
		"connection refused")
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, made)
	wantJobs(t, ns, "up", "up")
}

// TestLostPodOfJob proves that a node failure does not fail the migration: the same Job creates another pod. The Job
// allows this because a deleted pod counts as failed (fact K34).
func TestLostPodOfJob(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, made)
	up := runningJob(t, ns, "up")
	lost := endPodOf(t, up, jobEnd{137, ""})
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(up), up); err != nil || up.Status.Failed == 1 {
			return err
		}
		return fmt.Errorf("the Job does not count pod %s as failed: %+v", lost.Name, up.Status)
	})
	migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	endJob(t, up, done())
	wantUngated(t, made)
	wantJobs(t, ns, "up")
}
