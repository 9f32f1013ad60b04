package controllers

import (
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// TestTheGate proves which pods wait: those that bring migrations, whose database
// is not known to be migrated for exactly these, and that we may have wait.
func TestTheGate(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	source(t, ns, "plain", "1.0.0")
	migrated(t, ns, "first", "dao-test@1.0.0")
	env := func(name, value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			container := &pod.Spec.Containers[0]
			container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
		}
	}
	annotate := func(name, value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Annotations[name] = value }
	}
	foreign := corev1.PodSchedulingGate{Name: "example.com/quota"}
	for name, test := range map[string]struct {
		plugins string
		change  func(*corev1.Pod)
		gated   bool
		reason  string
	}{
		"the release that is migrated":  {plugins: "dao-test@1.0.0", reason: "a pod that is scaled out never waits"},
		"another release":               {plugins: "dao-test@1.1.0", gated: true, reason: "its database is not known to be migrated for exactly that"},
		"another database":              {plugins: "dao-test@1.0.0", change: env("KONG_PG_DATABASE", "other"), gated: true},
		"another schema":                {plugins: "dao-test@1.0.0", change: env("KONG_PG_SCHEMA", "other"), gated: true},
		"the same database, in full":    {plugins: "dao-test@1.0.0", change: func(pod *corev1.Pod) { pod.Spec.Containers[0].Env[0].Value = "postgres." + ns + ".svc.cluster.local" }},
		"a plugin without migrations":   {plugins: "plain"},
		"with one that has some":        {plugins: "plain, dao-test@1.1.0", gated: true},
		"asks for nothing":              {plugins: ""},
		"with a node":                   {plugins: "dao-test@1.1.0", change: func(pod *corev1.Pod) { pod.Spec.NodeName = "node-1" }, reason: "the API server would deny the gate (P1)"},
		"without a database":            {plugins: "dao-test@1.1.0", change: env("KONG_DATABASE", "off"), reason: "K18"},
		"a data plane":                  {plugins: "dao-test@1.1.0", change: env("KONG_ROLE", "data_plane"), reason: "K18"},
		"a control plane":               {plugins: "dao-test@1.1.0", change: env("KONG_ROLE", "control_plane"), gated: true, reason: "K18"},
		"a database on its own address": {plugins: "dao-test@1.1.0", change: func(pod *corev1.Pod) { pod.Spec.Containers[0].Env = nil }, reason: "no Job could reach it"},
		"migrations off":                {plugins: "dao-test@1.1.0", change: annotate(annotations.Migrations, "off")},
		"migrations up":                 {plugins: "dao-test@1.1.0", change: annotate(annotations.Migrations, "up"), gated: true, reason: "only finish is left to a person"},
		"a Job's":                       {plugins: "dao-test@1.1.0", change: ownedBy("batch/v1", "Job"), reason: "that is what migrates where others do it (K21)"},
		"a ReplicaSet's":                {plugins: "dao-test@1.1.0", change: ownedBy("apps/v1", "ReplicaSet"), gated: true},
		"with a gate of another's":      {plugins: "dao-test@1.1.0", change: func(pod *corev1.Pod) { pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{foreign} }, gated: true},
		"with our gate": {plugins: "dao-test@1.1.0", change: func(pod *corev1.Pod) {
			pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.MigrationsGate}}
		}, gated: true, reason: "and once, else the API server would deny it"},
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
				t.Errorf("gates %v, want ours: %v; %s", made.Spec.SchedulingGates, test.gated, test.reason)
			}
			if injected := made.Labels[annotations.Injected] == "true"; injected != (test.plugins != "") {
				t.Errorf("that it was injected is %v", injected)
			}
		})
	}
}

// ownedBy gives a pod an owner.
func ownedBy(apiVersion, kind string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "owner", UID: "1", Controller: new(true)}}
	}
}

// TestOnlyOurGateIsLifted proves that a pod which also waits for somebody else
// goes on waiting for that one (K35).
func TestOnlyOurGateIsLifted(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	foreign := corev1.PodSchedulingGate{Name: "example.com/quota"}
	made := pod(ns, "kong", "dao-test@1.0.0")
	made.Spec.SchedulingGates = []corev1.PodSchedulingGate{foreign}
	create(t, made)
	end(t, job(t, ns, "up"), done())
	lifted(t, made)
	if !slices.Equal(made.Spec.SchedulingGates, []corev1.PodSchedulingGate{foreign}) {
		t.Errorf("gates %v are left, want the other's alone", made.Spec.SchedulingGates)
	}
}

// TestTheChartsJob proves that the chart's own migration, a Job with the plugin's
// annotation, runs: it is injected, never waits, and brings no migration about (K21).
func TestTheChartsJob(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	of := pod(ns, "", "dao-test@1.0.0")
	of.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	of.Spec.Containers[0].Name, of.Spec.Containers[0].Args = "kong-migrations", []string{"kong", "migrations", "bootstrap"}
	create(t, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "kong-kong-init-migrations"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "init"}, Annotations: of.Annotations}, Spec: of.Spec,
		}},
	})
	made := podsOf(t, ns, "init", 1, func(pod *corev1.Pod) bool { return pod.Labels[annotations.Injected] == "true" })
	if len(made[0].Spec.SchedulingGates) > 0 {
		t.Errorf("it waits: %v", made[0].Spec.SchedulingGates)
	}
	// What comes later is seen later: then this pod was seen too.
	migrated(t, ns, "later", "dao-test@1.1.0")
	records, err := recordsOf(t.Context(), ns)
	if err != nil || len(records) != 1 {
		t.Errorf("%d PluginMigrations, want the later pod's alone: %v", len(records), err)
	}
}
