package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// library makes a namespace with a release of a plugin, and namespaces that a
// policy gives it to.
func library(t *testing.T, spec v1alpha1.PluginPolicySpec, users int) (from string, policy *v1alpha1.PluginPolicy, to []string) {
	t.Helper()
	from = namespace(t)
	source(t, from, quiet, "1.0.0")
	for range users {
		to = append(to, namespace(t))
	}
	spec.Library = from
	return from, policyFor(t, "library", spec, to...), to
}

// TestALibraryIn50Namespaces proves that a plugin which is published once serves
// many namespaces: each has one copy when its pods are let go, and no other
// namespace has any.
func TestALibraryIn50Namespaces(t *testing.T) {
	t.Parallel()
	const count, podsEach = 50, 2
	from, _, to := library(t, v1alpha1.PluginPolicySpec{Plugins: plugins(quiet)}, count)
	eventuallyGiven(t, unasked(to[count-1], "kong"), "bundled,quiet")
	began := time.Now()
	pods := make([]*corev1.Pod, count*podsEach)
	err := inParallel(8, len(pods), func(i int) error {
		pods[i] = unasked(to[i/podsEach], fmt.Sprintf("kong-%d", i%podsEach))
		return webhook.Admin.Create(t.Context(), pods[i])
	})
	if err != nil {
		t.Fatal(err)
	}
	supplied(t, pods...)
	t.Logf("%d pods in %d namespaces have their library's plugin after %v", len(pods), count, time.Since(began).Round(time.Millisecond))
	for _, ns := range to {
		copies := copiesIn(t.Context(), t, ns)
		if len(copies) != 1 {
			t.Fatalf("namespace %s has %d copies", ns, len(copies))
		}
		mustBeCopy(t, copies[0], from, "1.0.0")
	}
	if copies := copiesIn(t.Context(), t, from); len(copies) > 0 {
		t.Errorf("the library has %d copies of its own", len(copies))
	}
}

// TestAPodThatHasTheGate proves that a pod which comes with the gate, as one does
// that another webhook has changed and that is decided on again, is created with it
// once, and let go.
func TestAPodThatHasTheGate(t *testing.T) {
	t.Parallel()
	_, _, to := library(t, v1alpha1.PluginPolicySpec{Plugins: plugins(quiet)}, 1)
	eventuallyGiven(t, unasked(to[0], "kong"), "bundled,quiet")
	gated := unasked(to[0], "kong")
	gated.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.LibraryGate}}
	create(t, gated)
	if len(gated.Spec.SchedulingGates) != 1 {
		t.Errorf("its gates are %v", gated.Spec.SchedulingGates)
	}
	supplied(t, gated)
}

// TestALibrarysMigrations proves that a plugin of a library whose pods nobody
// annotated is migrated with names and all, before they start.
func TestALibrarysMigrations(t *testing.T) {
	t.Parallel()
	from, ns := namespace(t), namespace(t)
	daoTest(t, from)
	policyFor(t, "library", v1alpha1.PluginPolicySpec{Plugins: plugins("dao-test@1.1.0"), Library: from}, ns)
	made := pod(ns, "kong", "")
	made.Annotations = nil
	eventuallyGiven(t, made, "bundled,dao-test")
	create(t, made)
	if !isGated(made) || !awaitsLibrary(made) {
		t.Errorf("its gates are %v", made.Spec.SchedulingGates)
	}
	supplied(t, made)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, made)
	found := migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	var names []string
	for _, migration := range found.Spec.Plugins[0].Migrations {
		names = append(names, migration.Name)
	}
	if !slices.Equal(names, []string{base, next}) {
		t.Errorf("the PluginMigration names the migrations %q", names)
	}
}
