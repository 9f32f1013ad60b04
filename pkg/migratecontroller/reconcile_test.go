package migratecontroller

import (
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// migrated changes a PluginMigration to one that is migrated. With pending, it waits to be finished.
func migrated(pending ...string) func(*v1alpha1.PluginMigration) {
	return func(migration *v1alpha1.PluginMigration) {
		migration.Status.Phase = v1alpha1.PhaseFinished
		if migration.Status.Pending = pending; len(pending) > 0 {
			migration.Status.Phase = v1alpha1.PhaseMigrated
		}
		meta.SetStatusCondition(&migration.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified,
		})
	}
}

// TestRequestsOfPlans proves how many requests a plan makes. They do not depend on the number of pods, except for one
// patch for each gate.
func TestRequestsOfPlans(t *testing.T) {
	const pods = 200
	const (
		listMigrations = "list *v1alpha1.PluginMigrationList"
		listJobs       = "list *v1.JobList"
		listPods       = "list *v1.PodList"
		updateStatus   = "update status of *v1alpha1.PluginMigration"
	)
	t.Run("a new requirement", func(t *testing.T) {
		test := newReconcileTest(t, kongPods(t, pods, false), nil)
		test.reconcile()
		test.wantRequests("create", map[string]int{
			listMigrations: 1, listJobs: 1, "create *v1alpha1.PluginMigration": 1,
		})
	})
	t.Run("a Job", func(t *testing.T) {
		test := newReconcileTest(t, kongPods(t, pods, false), func(*v1alpha1.PluginMigration) {})
		test.reconcile()
		test.wantRequests("start", map[string]int{
			listMigrations: 1, listJobs: 1, listPods: 1, "get *v1.Pod": 1, "create *v1.Job": 1, updateStatus: 1,
		})
	})
	t.Run("gates", func(t *testing.T) {
		test := newReconcileTest(t, kongPods(t, pods, false), migrated())
		test.settle()
		test.wantRequests("only the gates", map[string]int{"patch *v1.Pod": pods})
		test.reconcile()
		test.wantRequests("the cache still shows the gates", nil)
	})
	t.Run("messages", func(t *testing.T) {
		unready := kongPods(t, pods, true)
		unready[0].Status.Conditions = nil
		test := newReconcileTest(t, unready, migrated("dao-test: 000_base"))
		test.settle()
		test.wantRequests("the status is up to date", nil)
		test.cached.migrations[0].Status.Message = "Another message"
		test.reconcile()
		test.wantRequests("only a message changes, so the cache is enough", map[string]int{updateStatus: 1})
	})
	t.Run("nothing", func(t *testing.T) {
		test := newReconcileTest(t, kongPods(t, pods, true), migrated())
		test.settle()
		test.wantRequests("calls at rest", nil)
	})
}

func (r *reconcileTest) reconcile() time.Duration {
	r.Helper()
	result, err := r.controller.Reconcile(r.Context(), r.key)
	if err != nil {
		r.Fatal(err)
	}
	return result.RequeueAfter
}

// settle gives the PluginMigrations the status that a plan would write, so that the next plan writes none, and
// reconciles.
func (r *reconcileTest) settle() {
	r.Helper()
	snapshot, err := r.controller.readCached(r.Context(), r.key)
	if err != nil {
		r.Fatal(err)
	}
	for name, status := range snapshot.Plan().StatusUpdates {
		for i := range r.cached.migrations {
			if r.cached.migrations[i].Name == name {
				r.cached.migrations[i].Status = status
			}
		}
	}
	r.reconcile()
}

// TestLiveReadsAreConcurrent proves that the three reads of a plan run at the same time: each waits for the others.
func TestLiveReadsAreConcurrent(t *testing.T) {
	test := newReconcileTest(t, kongPods(t, 2, false), func(*v1alpha1.PluginMigration) {})
	const reads = 3
	var arrived sync.WaitGroup
	arrived.Add(reads)
	test.live.beforeList = func() {
		arrived.Done()
		arrived.Wait()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test.reconcile()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a read waits for another read")
	}
}

// TestGatesDoNotWaitForReads proves that plans which remove gates go on while the API server answers no read, and that
// a worker does not wait if too many plans read already.
func TestGatesDoNotWaitForReads(t *testing.T) {
	blocked := newReconcileTest(t, kongPods(t, 2, false), func(*v1alpha1.PluginMigration) {})
	answer := make(chan struct{})
	var reading, done sync.WaitGroup
	reading.Add(3 * maxLivePlans)
	blocked.live.beforeList = func() {
		reading.Done()
		<-answer
	}
	for range maxLivePlans {
		done.Go(func() { blocked.reconcile() })
	}
	reading.Wait()
	if after := blocked.reconcile(); after != busyRetryInterval {
		t.Errorf("one plan too many runs again after %v, want %v", after, busyRetryInterval)
	}
	gates := newReconcileTest(t, kongPods(t, 20, false), migrated())
	gates.settle()
	gates.wantRequests("gates", map[string]int{"patch *v1.Pod": 20})
	close(answer)
	done.Wait()
	if maxLivePlans >= maxConcurrentReconciles {
		t.Error("no worker remains for plans from the cache")
	}
}
