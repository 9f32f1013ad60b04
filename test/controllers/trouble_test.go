package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// wantEvent waits for a warning about an object.
func wantEvent(t *testing.T, namespace, kind, reason string, words ...string) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := webhook.Admin.List(ctx, &events, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Regarding.Kind != kind || event.Reason != reason || event.Type != corev1.EventTypeWarning {
				continue
			}
			for _, word := range words {
				if !strings.Contains(event.Note, word) {
					return fmt.Errorf("%q is not in the Event: %s", word, event.Note)
				}
			}
			return nil
		}
		return fmt.Errorf("of %d Events none is %s about a %s", len(events.Items), reason, kind)
	})
}

// counted yields a metric's value, 0 where there is none.
func counted(t *testing.T, series string) float64 {
	t.Helper()
	text, err := webhook.Metrics(t.Context())
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

// TestAFailedMigration proves what a person sees of one: the pods wait, the
// PluginMigration and the pods' owner have an Event with Kong's words, the metric
// counts, and deleting the PluginMigration has it tried again.
func TestAFailedMigration(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	const metric = `kongdao_migration_failures_total{reason="MigrationFailed"}`
	before := counted(t, metric)
	create(t, deployment(ns, "kong", 2))
	waiting := podsOf(t, ns, "kong", 2, isGated)
	first := job(t, ns, "up")
	const words = `Error: [PostgreSQL error] relation "x" does not exist`
	end(t, first, failed(words))
	failedRecord := record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFailed)
	waitsFor(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobFailed, words, "kubectl delete pluginmigration "+failedRecord.Name)
	wantEvent(t, ns, "PluginMigration", "MigrationFailed", words)
	wantEvent(t, ns, "ReplicaSet", "MigrationFailed", words, failedRecord.Name)
	if now := counted(t, metric); now <= before {
		t.Errorf("%s is %v, and was %v", metric, now, before)
	}
	if gated := counted(t, "kongdao_gated_pods"); gated < 2 {
		t.Errorf("kongdao_gated_pods is %v", gated)
	}
	podsOf(t, ns, "kong", 2, isGated)
	wantJobs(t, ns, "up") // it would fail again

	kubectl(t, ns, "delete", "pluginmigration", failedRecord.Name)
	waitUntilGone(t, first) // with it goes its Job
	second := job(t, ns, "up")
	if second.Name == first.Name {
		t.Errorf("the Job of another PluginMigration has the name of the first: %s", first.Name)
	}
	end(t, second, done())
	lifted(t, waiting...)
	record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
}

// TestEndings proves of each way in which a Job may end what becomes of it.
func TestEndings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ends   ending
		phase  v1alpha1.Phase
		reason string
		words  string
	}{
		"unlisted":                {ending{12, "unlisted\ndao-test: " + base}, v1alpha1.PhaseFailed, v1alpha1.ReasonMigrationsNotListed, "Kong does not list dao-test: " + base},
		"empty":                   {ending{14, "empty\nthe database was never bootstrapped"}, v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed, "never bootstrapped"},
		"in words of the kubelet": {ending{13, "sh: kong: not found"}, v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed, "sh: kong: not found"},
		"without a word":          {ending{13, ""}, v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed, "exit code 13"},
		"blocked by another's, with no Kong there": {blocked("acl: 004_x"), v1alpha1.PhaseMigrating, v1alpha1.ReasonJobRunning, "kong migrations up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t)
			daoTest(t, ns)
			made := pod(ns, "kong", "dao-test@1.0.0")
			create(t, made)
			end(t, job(t, ns, "up"), test.ends)
			waitsFor(t, ns, "dao-test@1.0.0", test.reason, test.words)
			record(t, ns, "dao-test@1.0.0", test.phase)
			if get(t, made); !isGated(made) {
				t.Error("the pod does not wait")
			}
		})
	}
}

// TestTheDatabaseDoesNotAnswer proves that this is tried again by itself, by a
// Job of another name.
func TestTheDatabaseDoesNotAnswer(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test@1.0.0")
	create(t, made)
	end(t, job(t, ns, "up"), ending{11, "deadline\nError: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: connection denied"})
	waitsFor(t, ns, "dao-test@1.0.0", v1alpha1.ReasonDatabaseUnreachable, "The next Job starts at", "connection denied")
	end(t, job(t, ns, "up"), done())
	lifted(t, made)
	wantJobs(t, ns, "up", "up")
}

// TestAPodOfTheJobThatIsLost proves that a node which fails does not fail the
// migration: the same Job makes another pod (K34).
func TestAPodOfTheJobThatIsLost(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test@1.0.0")
	create(t, made)
	up := job(t, ns, "up")
	lost := endPod(t, up, ending{137, ""})
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(up), up); err != nil || up.Status.Failed == 1 {
			return err
		}
		return fmt.Errorf("the Job does not count %s: %+v", lost.Name, up.Status)
	})
	record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	end(t, up, done())
	lifted(t, made)
	wantJobs(t, ns, "up")
}

// TestAJobThatCannotRun proves that the PluginMigration says why the pod of its
// Job does not run, and no more when it does.
func TestAJobThatCannotRun(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	create(t, pod(ns, "kong", "dao-test@1.0.0"))
	up := job(t, ns, "up")
	const why = "0/3 nodes are available: 3 Insufficient memory."
	set := func(status corev1.ConditionStatus, message string) {
		eventually(t, func(ctx context.Context) error {
			var pods corev1.PodList
			if err := webhook.Admin.List(ctx, &pods, client.InNamespace(ns), client.MatchingLabels{batchv1.JobNameLabel: up.Name}); err != nil {
				return err
			}
			if len(pods.Items) != 1 {
				return fmt.Errorf("%d pods", len(pods.Items))
			}
			pods.Items[0].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: status, Reason: "Unschedulable", Message: message}}
			return webhook.Admin.Status().Update(ctx, &pods.Items[0])
		})
	}
	set(corev1.ConditionFalse, why)
	waitsFor(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobRunning, up.Name, "cannot start: "+why)
	set(corev1.ConditionTrue, "")
	waitsFor(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobRunning, `runs "kong migrations up"`)
	end(t, up, done())
	record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
}
