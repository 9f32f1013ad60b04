package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// callsIn returns how many requests about a namespace kongdao has sent to the API server, by verb and resource.
func callsIn(t *testing.T, namespace string) map[string]int {
	t.Helper()
	entries, err := plane.AuditEntries()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, entry := range entries {
		isOurs := entry.User.Username == installation.WebhookUser || entry.User.Username == installation.ControllerUser
		if isOurs && entry.Object.Namespace == namespace {
			calls[strings.TrimSuffix(entry.Verb+" "+entry.Object.Resource+"/"+entry.Object.Subresource, "/")]++
		}
	}
	return calls
}

// waitingPods is how many pods wait at the same time.
const waitingPods = 500

// TestManyPodsAreUngated proves that the number of requests to the API server does not grow with the number of pods,
// except for one patch for each pod. It prints how long it takes, from the end of the Jobs, until the last pod can
// start.
func TestManyPodsAreUngated(t *testing.T) {
	// maxCalls limits the requests for one database, except the patches.
	const maxCalls = waitingPods / 10
	others := map[int]int{}
	for _, databases := range []int{1, 10} {
		ns := shared.CreateNamespace(t)
		daoTest(t, ns)
		began := time.Now()
		pods := createPodsOn(t, ns, databases)
		waitForMigrations(t, ns, databases, v1alpha1.PhaseMigrating)
		t.Logf("%d pods on %d databases wait after %v", waitingPods, databases, time.Since(began).Round(time.Millisecond))
		jobs := wantJobs(t, ns, slices.Repeat([]string{"up"}, databases)...)
		for i := range jobs[1:] {
			endJob(t, &jobs[i+1], done())
		}
		began = time.Now()
		endJob(t, &jobs[0], done())
		wantUngated(t, pods...)
		took := time.Since(began)
		waitForMigrations(t, ns, databases, v1alpha1.PhaseFinished)
		calls := callsIn(t, ns)
		patches := calls["patch pods"]
		for _, count := range calls {
			others[databases] += count
		}
		others[databases] -= patches
		t.Logf("%d pods on %d databases: %v from the end of the last Job to the last gate; %d patches, %d other requests: %v",
			waitingPods, databases, took.Round(time.Millisecond), patches, others[databases], calls)
		if patches < waitingPods || patches > waitingPods*101/100 {
			t.Errorf("%d patches for %d pods", patches, waitingPods)
		}
		if others[databases] > maxCalls*databases {
			t.Errorf("%d requests other than patches for %d databases, want at most %d",
				others[databases], databases, maxCalls*databases)
		}
	}
	t.Logf("10 databases need %.1f times the requests of one", float64(others[10])/float64(others[1]))
}

// createPodsOn creates pods and distributes them over databases.
func createPodsOn(t *testing.T, namespace string, databases int) []*corev1.Pod {
	t.Helper()
	pods := make([]*corev1.Pod, waitingPods)
	err := cluster.InParallel(8, waitingPods, func(i int) error {
		name, database := fmt.Sprintf("kong-%d", i), fmt.Sprintf("db-%d", i%databases)
		pods[i] = onDatabase(pod(namespace, name, "dao-test@1.0.0"), database)
		return webhook.Admin.Create(t.Context(), pods[i])
	})
	if err != nil {
		t.Fatal(err)
	}
	return pods
}

// waitForMigrations waits until a number of PluginMigrations is in a phase.
func waitForMigrations(t *testing.T, namespace string, count int, phase v1alpha1.Phase) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		migrations, err := migrationsIn(ctx, namespace)
		if err != nil {
			return err
		}
		reached := 0
		for i := range migrations {
			if migrations[i].Status.Phase == phase {
				reached++
			}
		}
		if reached != count {
			return fmt.Errorf("%d of %d PluginMigrations are %s, want %d", reached, len(migrations), phase, count)
		}
		return nil
	})
}
