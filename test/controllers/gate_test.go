package controllers

import (
	"context"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/test/cluster"
)

// TestGate proves which pods get our gate: those that have migrations, whose database is not migrated for exactly
// these, and that may have a gate.
func TestGate(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	source(t, ns, "plain", "1.0.0")
	migrateWith(t, ns, "first", "dao-test@1.0.0")
	env := func(name, value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			container := &pod.Spec.Containers[0]
			container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
		}
	}
	annotate := func(name, value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Annotations[name] = value }
	}
	host := func(name string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.Containers[0].Env[0].Value = name }
	}
	gate := func(gate corev1.PodSchedulingGate) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{gate} }
	}
	foreign := corev1.PodSchedulingGate{Name: "example.com/quota"}
	const noDatabase = "its Kong has no database (fact K18)"
	for name, test := range map[string]struct {
		plugins string
		change  func(*corev1.Pod)
		gated   bool
		reason  string
	}{
		"migrated release":          {plugins: "dao-test@1.0.0", reason: "a pod of a migrated release never waits"},
		"another release":           {plugins: "dao-test@1.1.0", gated: true, reason: "the database is not migrated for it"},
		"another database":          {plugins: "dao-test@1.0.0", change: env("KONG_PG_DATABASE", "other"), gated: true},
		"another schema":            {plugins: "dao-test@1.0.0", change: env("KONG_PG_SCHEMA", "other"), gated: true},
		"full name of the database": {plugins: "dao-test@1.0.0", change: host("postgres." + ns + ".svc.cluster.local")},
		"plugin without migrations": {plugins: "plain"},
		"one of two has migrations": {plugins: "plain, dao-test@1.1.0", gated: true},
		"no request":                {plugins: ""},
		"pod with a node": {
			plugins: "dao-test@1.1.0", change: func(pod *corev1.Pod) { pod.Spec.NodeName = "node-1" },
			reason: "the API server does not accept a gate on a pod with a node (fact P1)",
		},
		"no database":   {plugins: "dao-test@1.1.0", change: env("KONG_DATABASE", "off"), reason: noDatabase},
		"data plane":    {plugins: "dao-test@1.1.0", change: env("KONG_ROLE", "data_plane"), reason: noDatabase},
		"control plane": {plugins: "dao-test@1.1.0", change: env("KONG_ROLE", "control_plane"), gated: true},
		"database on localhost": {
			plugins: "dao-test@1.1.0", change: func(pod *corev1.Pod) { pod.Spec.Containers[0].Env = nil },
			reason: "a Job cannot reach it",
		},
		"migrations off": {plugins: "dao-test@1.1.0", change: annotate(annotations.Migrations, "off")},
		"migrations up": {
			plugins: "dao-test@1.1.0", change: annotate(annotations.Migrations, "up"), gated: true,
			reason: "only finish is manual",
		},
		"pod of a Job": {
			plugins: "dao-test@1.1.0", change: ownedBy("batch/v1", "Job"),
			reason: "the Jobs of the chart run migrations (fact K21)",
		},
		"pod of a ReplicaSet": {plugins: "dao-test@1.1.0", change: ownedBy("apps/v1", "ReplicaSet"), gated: true},
		"foreign gate":        {plugins: "dao-test@1.1.0", change: gate(foreign), gated: true},
		"our gate": {
			plugins: "dao-test@1.1.0", change: gate(corev1.PodSchedulingGate{Name: annotations.MigrationsGate}), gated: true,
			reason: "the API server does not accept a gate twice",
		},
	} {
		t.Run(name, func(t *testing.T) {
			made := pod(ns, "kong", test.plugins)
			if test.change != nil {
				test.change(made)
			}
			foreignBefore := slices.Contains(made.Spec.SchedulingGates, foreign)
			if err := webhook.Admin.Create(t.Context(), made, client.DryRunAll); err != nil {
				t.Fatal(err)
			}
			if isGated(made) != test.gated || slices.Contains(made.Spec.SchedulingGates, foreign) != foreignBefore {
				t.Errorf("the gates are %v, want our gate: %v: %s", made.Spec.SchedulingGates, test.gated, test.reason)
			}
			if injected := made.Labels[annotations.Injected] == "true"; injected != (test.plugins != "") {
				t.Errorf("the pod is injected: %v", injected)
			}
		})
	}
}

// ownedBy returns a function that gives a pod an owner.
func ownedBy(apiVersion, kind string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: apiVersion, Kind: kind, Name: "owner", UID: "1", Controller: new(true),
		}}
	}
}

// TestForeignGateStays proves that the controller removes only our gate. A pod that also has the gate of another
// controller continues to wait (fact K35).
func TestForeignGateStays(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	foreign := corev1.PodSchedulingGate{Name: "example.com/quota"}
	made := pod(ns, "kong", "dao-test@1.0.0")
	made.Spec.SchedulingGates = []corev1.PodSchedulingGate{foreign}
	shared.Create(t, made)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, made)
	if !slices.Equal(made.Spec.SchedulingGates, []corev1.PodSchedulingGate{foreign}) {
		t.Errorf("the gates are %v, want only the foreign one", made.Spec.SchedulingGates)
	}
}

// TestGateOfRecreatedPod proves that a plan for a pod does not remove the gate of the next pod with the same name, as a
// StatefulSet creates it (fact P5).
func TestGateOfRecreatedPod(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	first := pod(ns, "kong-0", "dao-test@1.0.0")
	shared.Create(t, first)
	remove(t, first)
	second := pod(ns, "kong-0", "dao-test@1.0.0")
	cluster.Eventually(t, func(ctx context.Context) error { return webhook.Admin.Create(ctx, second) })
	removeGate := func(of *corev1.Pod) {
		t.Helper()
		planned := clusterstate.GatedPod{NamespacedName: client.ObjectKeyFromObject(of), UID: of.UID}
		if err := clusterstate.RemoveGate(t.Context(), webhook.Admin, planned, annotations.MigrationsGate); err != nil {
			t.Error(err)
		}
	}
	removeGate(first)
	if get(t, second); first.UID == second.UID || !isGated(second) {
		t.Errorf("the plan for the first pod removed the gate of the second one: %v", second.Spec.SchedulingGates)
	}
	removeGate(second)
	if get(t, second); isGated(second) {
		t.Errorf("the second pod still has the gates %v", second.Spec.SchedulingGates)
	}
}

// TestJobOfTheChart proves that a migration Job of the chart runs if it has the annotation. It is injected, has no
// gate, and causes no PluginMigration (fact K21).
func TestJobOfTheChart(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	template := pod(ns, "", "dao-test@1.0.0")
	template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	container := &template.Spec.Containers[0]
	container.Name, container.Args = "kong-migrations", []string{"kong", "migrations", "bootstrap"}
	shared.Create(t, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "kong-kong-init-migrations"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "init"}, Annotations: template.Annotations},
			Spec:       template.Spec,
		}},
	})
	injected := podsOf(t, ns, "init", 1, func(pod *corev1.Pod) bool { return pod.Labels[annotations.Injected] == "true" })
	if len(injected[0].Spec.SchedulingGates) > 0 {
		t.Errorf("the pod of the Job has the gates %v", injected[0].Spec.SchedulingGates)
	}
	// The controller sees the later pod after the pod of the Job.
	migrateWith(t, ns, "later", "dao-test@1.1.0")
	migrations, err := migrationsIn(t.Context(), ns)
	if err != nil || len(migrations) != 1 {
		t.Errorf("there are %d PluginMigrations, want only the one of the later pod: %v", len(migrations), err)
	}
}
