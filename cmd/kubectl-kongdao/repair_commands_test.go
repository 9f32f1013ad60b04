package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgofake "k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/repair"
)

// repairGoldens is the folder in testdata with the golden files of TestRepairCommands.
const repairGoldens = "repair"

// migrationInPhase returns a PluginMigration. The reason is that of the condition that is not True yet.
func migrationInPhase(name string, phase v1alpha1.Phase, reason, message string) *v1alpha1.PluginMigration {
	migration := &v1alpha1.PluginMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name, UID: types.UID(name)},
		Spec:       v1alpha1.PluginMigrationSpec{Plugins: []v1alpha1.PluginMigrations{{Name: "dao-test", Version: "1.0.0"}}},
		Status:     v1alpha1.PluginMigrationStatus{Phase: phase, Message: message, Job: name + "-up-1"},
	}
	conditionType := v1alpha1.ConditionMigrated
	if phase == v1alpha1.PhaseMigrated {
		migration.Status.Conditions = []metav1.Condition{{Type: conditionType, Status: metav1.ConditionTrue}}
		migration.Status.Pending = []string{"dao-test: 001_next"}
		conditionType = v1alpha1.ConditionFinished
	}
	migration.Status.Conditions = append(migration.Status.Conditions,
		metav1.Condition{Type: conditionType, Status: metav1.ConditionFalse, Reason: reason})
	return migration
}

// waitingCluster returns a cluster with migrations in several phases, and a Deployment whose pod waits.
func waitingCluster(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	selected := map[string]string{"app": "kong"}
	workload := requestingWorkload("kong", "dao-test", "dao-test@1.0.0")
	workload.Spec.Selector = &metav1.LabelSelector{MatchLabels: selected}
	workload.Status = appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 1}
	gated := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kong", Name: "gated", UID: "gated", Labels: selected,
			Annotations: map[string]string{annotations.Migration: "failed"},
		},
		Spec: corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{
			{Name: annotations.MigrationsGate}, {Name: "example.com/quota"},
		}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	running := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "running"}, Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	jobPod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "job-pod", Labels: map[string]string{
			batchv1.JobNameLabel: "running-up-1",
		}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: migrate.JobContainer, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}},
	}
	failed := migrationInPhase("failed", v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed, "Error: boom")
	failed.Status.LastOutput = "Error: boom\n  in line 2"
	onHold := migrationInPhase("on-hold", v1alpha1.PhaseHeld, v1alpha1.ReasonOnHold, "A person holds this migration")
	onHold.Annotations = map[string]string{annotations.Migrations: "off"}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(workload, gated, running, jobPod, failed, onHold,
		migrationInPhase("edited", v1alpha1.PhaseHeld, v1alpha1.ReasonEditedMigration, "Kong executed another file."),
		migrationInPhase("manual", v1alpha1.PhaseMigrated, v1alpha1.ReasonManualFinish, "kongdao does not run it"),
		migrationInPhase("running", v1alpha1.PhaseMigrating, v1alpha1.ReasonJobRunning, "The Job runs"),
		migrationInPhase("finished", v1alpha1.PhaseFinished, v1alpha1.ReasonVerified, ""),
	).Build()
}

// TestRepairCommands compares the output of the commands about waiting pods with the golden files in testdata/repair.
// After the output, the files have what the command changed.
func TestRepairCommands(t *testing.T) {
	var out bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}
	ctx := context.Background()
	act := func(yes, dryRun bool, run func(*actor) error) func(client.Client) error {
		return func(cluster client.Client) error {
			return run(&actor{streams: streams, client: cluster, namespace: "kong", yes: yes, dryRun: dryRun})
		}
	}
	change := func(decide func(*v1alpha1.PluginMigration) (repair.Action, error), names ...string) func(*actor) error {
		return func(a *actor) error { return a.changeMigrations(ctx, names, decide) }
	}
	finish := func(m *v1alpha1.PluginMigration) (repair.Action, error) { return repair.Finish(m, false) }
	ungate := func(names ...string) func(*actor) error {
		return func(a *actor) error { return a.ungate(ctx, names) }
	}
	waitFor := func(argument, until string) func(client.Client) error {
		return func(cluster client.Client) error {
			start := time.Unix(0, 0)
			w := &waiter{streams: streams, client: cluster, namespace: "kong", until: until, timeout: time.Millisecond,
				now: func() time.Time { return start }}
			return w.run(ctx, argument)
		}
	}
	logs := func(name string) func(client.Client) error {
		return func(cluster client.Client) error {
			l := &logReader{streams: streams, client: cluster, namespace: "kong", timeout: time.Millisecond,
				pods: clientgofake.NewClientset().CoreV1()}
			return l.run(ctx, name)
		}
	}
	compareRuns(t, repairGoldens, &out, waitingCluster, map[string]func(client.Client) error{
		"retry":             act(false, false, change(repair.Retry, "failed", "pluginmigration/on-hold")),
		"retry-dry-run":     act(false, true, change(repair.Retry, "failed", "running")),
		"retry-running":     act(false, false, change(repair.Retry, "running")),
		"retry-unnecessary": act(true, false, change(repair.Retry, "finished", "edited", "absent", "job/x")),
		"retry-nothing":     act(true, false, change(repair.Retry)),
		"finish":            act(true, false, change(finish, "manual")),
		"finish-unasked":    act(false, false, change(finish, "manual")),
		"accept":            act(true, false, change(repair.Accept, "edited")),
		"hold":              act(false, false, change(repair.Hold, "running")),
		"ungate":            act(true, false, ungate("gated", "pod/running", "absent")),
		"ungate-dry-run":    act(false, true, ungate("gated")),
		"wait-failed":       waitFor("deployment/kong", forMigrated),
		"wait-migrated":     waitFor("manual", forMigrated),
		"wait-finished":     waitFor("manual", forFinished),
		"wait-running":      waitFor("running", forMigrated),
		"logs":              logs("running"),
		"logs-gone":         logs("failed"),
		"logs-none":         logs("finished"),
	})
}

// compareRuns runs commands on new clusters, and compares their output and their changes with golden files.
func compareRuns(
	t *testing.T, folder string, out *bytes.Buffer, newCluster func(*testing.T) client.Client,
	runs map[string]func(client.Client) error,
) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join("testdata", folder))
	if err != nil || len(files) != len(runs) && !*update {
		t.Errorf("there are %d golden files for %d tests: %v", len(files), len(runs), err)
	}
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			out.Reset()
			cluster := newCluster(t)
			before := stateOf(t, cluster)
			if err := run(cluster); err != nil {
				out.WriteString(errorText(err))
			}
			if diff := cmp.Diff(before, stateOf(t, cluster)); diff != "" {
				fmt.Fprintf(out, "changes:\n%s", normalizedDiff(diff))
			}
			compareGolden(t, filepath.Join("testdata", folder, name+".txt"), out.String(), "output and changes")
		})
	}
}

// stateOf returns what the commands can change: the annotations of migrations, and the gates of pods.
func stateOf(t *testing.T, reader client.Reader) map[string]string {
	t.Helper()
	state := map[string]string{}
	var migrations v1alpha1.PluginMigrationList
	if err := reader.List(t.Context(), &migrations); err != nil {
		t.Fatal(err)
	}
	for _, migration := range migrations.Items {
		state["PluginMigration "+migration.Name] = fmt.Sprint(migration.Annotations)
	}
	var pods corev1.PodList
	if err := reader.List(t.Context(), &pods); err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		state["Pod "+pod.Name] = fmt.Sprint(pod.Spec.SchedulingGates)
	}
	return state
}

// normalizedDiff returns the changed lines of a diff. The package cmp varies the white space on purpose.
func normalizedDiff(diff string) string {
	var text strings.Builder
	for line := range strings.Lines(diff) {
		if sign := line[0]; sign == '-' || sign == '+' {
			text.WriteString(string(sign) + " " + strings.Join(strings.Fields(line[1:]), " ") + "\n")
		}
	}
	return text.String()
}
