package controllers

import (
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// marked is a pod that a person has given our marks, our gate and annotations.
func marked(namespace, name, mark string) *corev1.Pod {
	made := pod(namespace, name, "")
	made.Labels = map[string]string{annotations.Injected: "true"}
	made.Annotations[annotations.InjectionRecord] = mark
	made.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.MigrationsGate}}
	return made
}

// TestForgedMarks proves that marks which no injection has left neither end the
// controller nor keep it from migrating the same database for others.
func TestForgedMarks(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	long := strings.Repeat("x", 100<<10)
	forged := func(plugins ...string) string {
		releases := make([]string, len(plugins))
		for i, plugin := range plugins {
			releases[i] = fmt.Sprintf(`{"plugin":%q,"digest":"x","migrations":"y%d"}`, plugin, i)
		}
		return `{"releases":[` + strings.Join(releases, ",") + `]}`
	}
	for i, mark := range []string{
		"", " ", "null", "[]", "{", "{}", "\x00\ufffd", `{"releases":null}`, `{"releases":[null]}`, `{"releases":{}}`, `{"releases":[{"plugin":7}]}`,
		long, forged(""), forged("_"), forged("../../etc"), forged("a b"), forged("é"), forged(long), forged("dao-test", "dao-test"), forged("a.b"),
		`{"releases":[{"plugin":"dao-test","version":"\n\u001b[31m","migrations":"y"}]}`,
	} {
		odd := marked(ns, fmt.Sprintf("forged-%d", i), mark)
		odd.Annotations[annotations.Migrations] = "maybe"
		odd.Annotations[annotations.Containers] = ",,"
		create(t, odd)
	}
	made := pod(ns, "kong", "dao-test@1.0.0")
	create(t, made)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, made)
	if records, err := migrationsIn(t.Context(), ns); err != nil || len(records) != 1 {
		t.Errorf("%d PluginMigrations, want the one of the pod that was injected: %v", len(records), err)
	}
}

// TestAMarkThatCouldBeOurs proves that a forged mark of an injection which there
// never was has just what its maker could do anyway run: the pod's own container,
// one Job after the other.
func TestAMarkThatCouldBeOurs(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	const mark = `{"releases":[{"plugin":"dao-test","digest":"sha256:00","migrations":"sha256:00","sources":["nowhere"]}]}`
	forged, mine := marked(ns, "forged", mark), pod(ns, "mine", "dao-test@1.0.0")
	forged.Spec.Containers[0].Image = "kong:forged"
	create(t, forged, mine)
	images := map[string]bool{}
	for range 2 {
		running := runningJob(t, ns, "up")
		images[running.Spec.Template.Spec.Containers[0].Image] = true
		endJob(t, running, done())
	}
	wantUngated(t, forged, mine)
	if !images["kong:forged"] || !images["kong:3.9"] {
		t.Errorf("the Jobs ran %v", images)
	}
}

// TestJobsOfOthers proves that Jobs which a person has labelled as ours never
// make two run: those that are not over are waited for, whatever their labels
// say, and the next is counted on from no number of theirs.
func TestJobsOfOthers(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	first := pod(ns, "first", "dao-test@1.0.0")
	create(t, first)
	up := runningJob(t, ns, "up")
	endJob(t, up, failed("Error: x"))
	of := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFailed)
	theirs := func(name, attempt, step string, owned bool) *batchv1.Job {
		made := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{
				annotations.Database: of.Spec.Database.Key, annotations.Migration: of.Name, annotations.Step: step, annotations.Attempt: attempt,
			}},
			Spec: batchv1.JobSpec{Suspend: new(true), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "x", Image: "x"}},
			}}},
		}
		if owned {
			made.OwnerReferences = up.OwnerReferences
		}
		return made
	}
	jobs := []*batchv1.Job{
		theirs("nobodys", "1", "up", false), theirs("odd", "x", "dance", false), theirs("zero", "0", "", true),
		theirs("last", "2147483647", "up", true), theirs("beyond", "99999999999999999999", "up", true),
	}
	for _, other := range jobs {
		create(t, other)
	}
	second := pod(ns, "second", "dao-test@1.1.0")
	create(t, second)
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOtherJobRunning, "runs on the same database")
	wantJobs(t, ns, "up")
	for _, other := range jobs {
		remove(t, other)
	}
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, second)
	wantJobs(t, ns, "up", "up")
	if now := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFailed); now.Status.Attempts != 1 {
		t.Errorf("it has had %d attempts, want the one", now.Status.Attempts)
	}
}

// TestRecordsOfOthers proves that PluginMigrations which a person has made, or
// taken our label from, harm nobody else's.
func TestRecordsOfOthers(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	made := pod(ns, "first", "dao-test@1.0.0")
	create(t, made)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, made)
	ours := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	for i, labels := range []map[string]string{
		nil, {annotations.Database: ""}, {annotations.Database: "x"}, {annotations.Database: "a.b_c"}, {annotations.Database: ours.Spec.Database.Key},
	} {
		other := &v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: ns, Name: fmt.Sprintf("other-%d", i), Labels: labels,
				Annotations: map[string]string{annotations.Migrations: "maybe", annotations.AcceptEdited: "yes"},
			},
			Spec: *ours.Spec.DeepCopy(),
		}
		other.Spec.Request = other.Name
		create(t, other)
	}
	wantMessage(t, ns, "other-4", v1alpha1.ReasonNoPods, "No pod requires this migration")

	const words = "exists without label " + annotations.Database
	expectLogError(words)
	change(t, ours, func(ours *v1alpha1.PluginMigration) { ours.Labels = nil })
	second := pod(ns, "second", "dao-test@1.1.0")
	create(t, second)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, second)
	eventually(t, hasLogged(words))
	if tries := callsIn(t, ns)["create pluginmigrations"]; tries > 30 {
		t.Errorf("it was tried %d times to make a PluginMigration that is there", tries)
	}
	if get(t, ours); len(ours.Labels) > 0 {
		t.Errorf("it has labels again: %v", ours.Labels)
	}
}

// TestACopyOfTheJobsPod proves that what a pod says which only bears the Job's
// label, as one that was copied to look into trouble, is not taken for the Job's.
func TestACopyOfTheJobsPod(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test@1.0.0")
	create(t, made)
	up := runningJob(t, ns, "up")
	copied := pod(ns, "copy", "")
	copied.Labels = map[string]string{batchv1.JobNameLabel: up.Name}
	create(t, copied)
	endPod(t, copied, done())
	endJob(t, up, failed("Error: x"))
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobFailed, "Error: x")
	if get(t, made); !isGated(made) {
		t.Error("the pod does not wait")
	}
}
