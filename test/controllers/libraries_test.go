package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

// TestLibraryServes50Namespaces proves that one release in a library serves many namespaces: each has one copy when its
// pods stop waiting, and the library itself has no copies.
func TestLibraryServes50Namespaces(t *testing.T) {
	t.Parallel()
	const count, podsEach = 50, 2
	library, _, users := createLibrary(t, policySpec{Plugins: plugins(quiet)}, count)
	wantKongPlugins(t, kongPod(users[count-1], "kong"), "bundled,quiet")
	start := time.Now()
	pods := make([]*corev1.Pod, count*podsEach)
	err := cluster.InParallel(8, len(pods), func(i int) error {
		pods[i] = kongPod(users[i/podsEach], fmt.Sprintf("kong-%d", i%podsEach))
		return webhook.Admin.Create(t.Context(), pods[i])
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCopiesProvided(t, pods...)
	t.Logf("%d pods in %d namespaces have the plugin after %v",
		len(pods), count, time.Since(start).Round(time.Millisecond))
	for _, ns := range users {
		copies := copiesIn(t.Context(), t, ns)
		if len(copies) != 1 {
			t.Fatalf("namespace %s has %d copies, want 1", ns, len(copies))
		}
		checkCopy(t, copies[0], library, "1.0.0")
	}
	if copies := copiesIn(t.Context(), t, library); len(copies) > 0 {
		t.Errorf("the library has %d copies, want 0", len(copies))
	}
}

// TestPodWithLibraryGate proves that kongdao does not add the gate again to a pod that has it, and removes it later.
// The API server sends these pods when it calls the webhook again, because another webhook has changed the pod.
func TestPodWithLibraryGate(t *testing.T) {
	t.Parallel()
	_, _, users := createLibrary(t, policySpec{Plugins: plugins(quiet)}, 1)
	wantKongPlugins(t, kongPod(users[0], "kong"), "bundled,quiet")
	gated := kongPod(users[0], "kong")
	gated.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.LibraryGate}}
	shared.Create(t, gated)
	if len(gated.Spec.SchedulingGates) != 1 {
		t.Errorf("the gates are %v, want 1", gated.Spec.SchedulingGates)
	}
	wantCopiesProvided(t, gated)
}

// TestLibraryPluginIsMigrated proves that a plugin from a library is migrated, with the names of its migrations, before
// pods start. The pods have no annotation.
func TestLibraryPluginIsMigrated(t *testing.T) {
	t.Parallel()
	library, ns := shared.CreateNamespace(t), shared.CreateNamespace(t)
	daoTest(t, library)
	createPolicy(t, "library", policySpec{Plugins: plugins("dao-test@1.1.0"), Library: library}, ns)
	made := pod(ns, "kong", "")
	made.Annotations = nil
	wantKongPlugins(t, made, "bundled,dao-test")
	shared.Create(t, made)
	if !isGated(made) || !awaitsCopies(made) {
		t.Errorf("the gates are %v, want both of kongdao's", made.Spec.SchedulingGates)
	}
	wantCopiesProvided(t, made)
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
