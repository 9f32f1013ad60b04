package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/installation"
)

// callsIn yields how often the webhook has asked for something about a namespace
// until now, by what it asked for.
func callsIn(t *testing.T, namespace string) map[string]int {
	t.Helper()
	entries, err := plane.AuditEntries()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, made := range entries {
		if made.User.Username == installation.WebhookUser && made.Object.Namespace == namespace {
			calls[strings.TrimSuffix(made.Verb+" "+made.Object.Resource+"/"+made.Object.Subresource, "/")]++
		}
	}
	return calls
}

// crowd is how many pods wait at once.
const crowd = 500

// TestManyPodsAreLifted prints how long it takes, and what it asks of the API
// server, from the end of the Jobs until the last of many pods may start, and
// what was asked before. It proves that but for the one patch a pod the calls are
// some for each database, whose migration is a Job and a record: not one for each
// pod.
func TestManyPodsAreLifted(t *testing.T) {
	// The most calls besides the patches that one database is granted: a tenth of
	// one for each pod where all are on one database.
	const most = crowd / 10
	others := map[int]int{}
	for _, databases := range []int{1, 10} {
		ns := namespace(t)
		daoTest(t, ns)
		began := time.Now()
		pods := crowdOn(t, ns, databases)
		waitForRecords(t, ns, databases, v1alpha1.PhaseMigrating)
		t.Logf("%d pods on %d databases wait after %v", crowd, databases, time.Since(began).Round(time.Millisecond))
		jobs := wantJobs(t, ns, steps("up", databases)...)
		for i := range jobs[1:] {
			end(t, &jobs[i+1], done())
		}
		began = time.Now()
		end(t, &jobs[0], done())
		lifted(t, pods...)
		took := time.Since(began)
		waitForRecords(t, ns, databases, v1alpha1.PhaseFinished)
		calls := callsIn(t, ns)
		patches := calls["patch pods"]
		for _, count := range calls {
			others[databases] += count
		}
		others[databases] -= patches
		t.Logf("%d pods on %d databases: %v from the end of the (last) Job to the last gate; %d patches, %d other calls: %v",
			crowd, databases, took.Round(time.Millisecond), patches, others[databases], calls)
		if patches < crowd || patches > crowd*11/10 {
			t.Errorf("%d patches for %d pods", patches, crowd)
		}
		if others[databases] > most*databases {
			t.Errorf("%d calls besides the patches for %d databases, want at most %d", others[databases], databases, most*databases)
		}
	}
	t.Logf("10 databases take %.1f times the calls of one", float64(others[10])/float64(others[1]))
}

// crowdOn makes the pods, in turn on each of the databases.
func crowdOn(t *testing.T, namespace string, databases int) []*corev1.Pod {
	t.Helper()
	pods := make([]*corev1.Pod, crowd)
	err := inParallel(8, crowd, func(i int) error {
		pods[i] = onDatabase(pod(namespace, fmt.Sprintf("kong-%d", i), "dao-test@1.0.0"), fmt.Sprintf("db-%d", i%databases))
		return webhook.Admin.Create(t.Context(), pods[i])
	})
	if err != nil {
		t.Fatal(err)
	}
	return pods
}

func steps(step string, count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = step
	}
	return all
}

// waitForRecords waits until so many PluginMigrations are in a phase.
func waitForRecords(t *testing.T, namespace string, count int, phase v1alpha1.Phase) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		records, err := recordsOf(ctx, namespace)
		if err != nil {
			return err
		}
		reached := 0
		for i := range records {
			if records[i].Status.Phase == phase {
				reached++
			}
		}
		if reached != count {
			return fmt.Errorf("of %d PluginMigrations %d are %s, want %d", len(records), reached, phase, count)
		}
		return nil
	})
}
