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
	"kongdao.io/kongdao/test/cluster"
)

// forgedPod returns a pod with a forged injection record and our gate.
func forgedPod(namespace, name, record string) *corev1.Pod {
	forged := pod(namespace, name, "")
	forged.Labels = map[string]string{annotations.Injected: "true"}
	forged.Annotations[annotations.InjectionRecord] = record
	forged.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.MigrationsGate}}
	return forged
}

// TestInvalidInjectionRecords proves that invalid injection records do not stop the controller: it still migrates the
// same database for other pods.
func TestInvalidInjectionRecords(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	long := strings.Repeat("x", 100<<10)
	record := func(plugins ...string) string {
		releases := make([]string, len(plugins))
		for i, plugin := range plugins {
			releases[i] = fmt.Sprintf(`{"plugin":%q,"digest":"x","migrations":"y%d"}`, plugin, i)
		}
		return `{"releases":[` + strings.Join(releases, ",") + `]}`
	}
	for i, record := range []string{
		"", " ", "null", "[]", "{", "{}", "\x00\ufffd", `{"releases":null}`, `{"releases":[null]}`, `{"releases":{}}`,
		`{"releases":[{"plugin":7}]}`, long, record(""), record("_"), record("../../etc"), record("a b"), record("é"),
		record(long), record("dao-test", "dao-test"), record("a.b"),
		`{"releases":[{"plugin":"dao-test","version":"\n\u001b[31m","migrations":"y"}]}`,
	} {
		forged := forgedPod(ns, fmt.Sprintf("forged-%d", i), record)
		forged.Annotations[annotations.Migrations] = "maybe"
		forged.Annotations[annotations.Containers] = ",,"
		shared.Create(t, forged)
	}
	injected := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, injected)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, injected)
	if migrations, err := migrationsIn(t.Context(), ns); err != nil || len(migrations) != 1 {
		t.Errorf("there are %d PluginMigrations, want only the one of the injected pod: %v", len(migrations), err)
	}
}

// TestForgedInjectionRecord proves that a valid but forged injection record causes no PluginMigration and no Job: the
// mounts of its pod do not match it.
func TestForgedInjectionRecord(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	const record = `{"releases":[{"plugin":"dao-test","digest":"sha256:00","migrations":"sha256:00","sources":["x"]}]}`
	forged, injected := forgedPod(ns, "forged", record), pod(ns, "injected", "dao-test@1.0.0")
	forged.Spec.Containers[0].Image = "kong:forged"
	shared.Create(t, forged, injected)
	running := runningJob(t, ns, "up")
	if image := running.Spec.Template.Spec.Containers[0].Image; image != "kong:3.9" {
		t.Errorf("the Job runs the image %s", image)
	}
	endJob(t, running, done())
	wantUngated(t, injected)
	wantJobs(t, ns, "up")
	if migrations, err := migrationsIn(t.Context(), ns); err != nil || len(migrations) != 1 {
		t.Errorf("there are %d PluginMigrations, want only the one of the injected pod: %v", len(migrations), err)
	}
	if get(t, forged); !isGated(forged) {
		t.Error("the forged pod has no gate")
	}
}

// TestForgedJobs proves that Jobs with forged labels never make two Jobs run together. The controller waits for them
// and does not use their attempts.
func TestForgedJobs(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	first := pod(ns, "first", "dao-test@1.0.0")
	shared.Create(t, first)
	up := runningJob(t, ns, "up")
	endJob(t, up, failed("Error: x"))
	migration := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFailed)
	forged := func(name, attempt, step string, owners []metav1.OwnerReference) *batchv1.Job {
		return &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, OwnerReferences: owners, Labels: map[string]string{
				annotations.Database: migration.Spec.Database.Key, annotations.Migration: migration.Name,
				annotations.Step: step, annotations.Attempt: attempt,
			}},
			Spec: batchv1.JobSpec{Suspend: new(true), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "x", Image: "x"}},
			}}},
		}
	}
	jobs := []*batchv1.Job{
		forged("without-owner", "1", "up", nil),
		forged("invalid-labels", "x", "dance", nil),
		forged("attempt-0", "0", "", up.OwnerReferences),
		forged("largest-attempt", "2147483647", "up", up.OwnerReferences),
		forged("too-large-attempt", "99999999999999999999", "up", up.OwnerReferences),
	}
	for _, job := range jobs {
		shared.Create(t, job)
	}
	second := pod(ns, "second", "dao-test@1.1.0")
	shared.Create(t, second)
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOtherJobRunning, "uses the same database")
	wantJobs(t, ns, "up")
	for _, job := range jobs {
		remove(t, job)
	}
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, second)
	wantJobs(t, ns, "up", "up")
	if now := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFailed); now.Status.Attempts != 1 {
		t.Errorf("the failed PluginMigration has %d attempts, want 1", now.Status.Attempts)
	}
}

// TestForgedMigrations proves that a person who creates PluginMigrations, or removes our label from one, does not
// affect other migrations.
func TestForgedMigrations(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	first := pod(ns, "first", "dao-test@1.0.0")
	shared.Create(t, first)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, first)
	ours := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	for i, labels := range []map[string]string{
		nil, {annotations.Database: ""}, {annotations.Database: "x"}, {annotations.Database: "a.b_c"},
		{annotations.Database: ours.Spec.Database.Key},
	} {
		forged := &v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: ns, Name: fmt.Sprintf("forged-%d", i), Labels: labels,
				Annotations: map[string]string{annotations.Migrations: "maybe", annotations.AcceptEdited: "yes"},
			},
			Spec: *ours.Spec.DeepCopy(),
		}
		forged.Spec.Request = forged.Name
		shared.Create(t, forged)
	}
	wantMessage(t, ns, "forged-4", v1alpha1.ReasonNoPods, "No pod requires this migration")

	const message = "exists without label " + annotations.Database
	expectLogError(message)
	change(t, ours, func(ours *v1alpha1.PluginMigration) { ours.Labels = nil })
	second := pod(ns, "second", "dao-test@1.1.0")
	shared.Create(t, second)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, second)
	cluster.Eventually(t, hasLogged(message))
	if tries := callsIn(t, ns)["create pluginmigrations"]; tries > 30 {
		t.Errorf("the controller tried %d times to create a PluginMigration that exists", tries)
	}
	if get(t, ours); len(ours.Labels) > 0 {
		t.Errorf("the controller changed the labels to %v", ours.Labels)
	}
}

// TestCopyOfJobPod proves that the controller ignores the result of a pod that has only the label of the Job. A person
// may copy the pod of a Job for debugging.
func TestCopyOfJobPod(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	kong := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, kong)
	up := runningJob(t, ns, "up")
	copied := pod(ns, "copy", "")
	copied.Labels = map[string]string{batchv1.JobNameLabel: up.Name}
	shared.Create(t, copied)
	endPod(t, copied, done())
	endJob(t, up, failed("Error: x"))
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobFailed, "Error: x")
	if get(t, kong); !isGated(kong) {
		t.Error("the pod has no gate")
	}
}
