package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// TestWithoutLeader proves that pods of a migrated database never wait for the controller: they start while a process
// that does not exist holds the Lease. Other pods wait until the Lease is free.
func TestWithoutLeader(t *testing.T) {
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	migrateWith(t, ns, "first", "dao-test@1.0.0")
	restart(t, func() {
		deleteLease(t)
		foreign := lease()
		foreign.Spec = coordinationv1.LeaseSpec{
			HolderIdentity: new("another"), LeaseDurationSeconds: new(int32(3600)), LeaseTransitions: new(int32(1)),
			AcquireTime: new(metav1.NowMicro()), RenewTime: new(metav1.NowMicro()),
		}
		shared.Create(t, foreign)
	})
	migrated, other := pod(ns, "migrated", "dao-test@1.0.0"), pod(ns, "other", "dao-test@1.1.0")
	shared.Create(t, migrated, other)
	if isGated(migrated) {
		t.Error("a pod of a migrated database has a gate")
	}
	if !isGated(other) {
		t.Error("a pod with new migrations has no gate")
	}
	makeReady(t, migrated)
	if migrations, err := migrationsIn(t.Context(), ns); err != nil || len(migrations) != 1 {
		t.Errorf("there are %d PluginMigrations, want 1 because no controller leads: %v", len(migrations), err)
	}
	deleteLease(t)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, other)
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// maxTakeover is the longest time without a leader after a crash.
const maxTakeover = 12 * time.Second

// leader returns the replica that holds the Lease.
func leader(ctx context.Context) (string, error) {
	held := lease()
	err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(held), held)
	if err != nil || held.Spec.HolderIdentity == nil {
		return "", err
	}
	return *held.Spec.HolderIdentity, nil
}

// TestOtherReplicaTakesOver proves that one of two replicas leads, and that the other continues soon after the first is
// killed, when its Lease has expired.
func TestOtherReplicaTakesOver(t *testing.T) {
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	_, kubeconfig, err := plane.User(installation.ControllerUser)
	if err != nil {
		t.Fatal(err)
	}
	other, err := installation.NewController(controllerPath, t.TempDir(), kubeconfig, system, "--migrations")
	if err != nil {
		t.Fatal(err)
	}
	migrateWith(t, ns, "first", "dao-test@1.0.0") // now the first replica leads
	if err := other.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := pod(ns, "second", "dao-test@1.1.0")
	shared.Create(t, second)
	up := runningJob(t, ns, "up")
	if err := controller.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	killedLeader, err := leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func(ctx context.Context) error {
		current, err := leader(ctx)
		if err == nil && current == killedLeader {
			err = errors.New("the killed replica still holds the Lease")
		}
		return err
	})
	if took := time.Since(killed); took > maxTakeover {
		t.Errorf("the other replica leads %v after the leader was killed, want at most %v", took, maxTakeover)
	}
	endJob(t, up, done())
	wantUngated(t, second)
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up", "up")
	if err := errors.Join(other.Kill(), checkLog(other)); err != nil {
		t.Error(err)
	}
	deleteLease(t)
	if err := controller.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestLeaseIsReleased proves that a replica that stops releases the Lease, so that the next one leads immediately.
func TestLeaseIsReleased(t *testing.T) {
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	migrateWith(t, ns, "first", "dao-test@1.0.0") // now it leads
	if err := controller.Terminate(); err != nil {
		t.Fatal(err)
	}
	// controller-runtime logs this error whenever a leader stops.
	expectLogError("leader election lost")
	began := time.Now()
	if err := controller.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	shared.Create(t, pod(ns, "second", "dao-test@1.1.0"))
	endJob(t, runningJob(t, ns, "up"), done())
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the next replica leads after %v: it waited until the Lease expired", took)
	}
}

// TestWithoutPermission proves what a controller does that cannot read PluginMigrations. It logs the error and
// serves metrics. Pods with migrations wait until it has the permission.
func TestWithoutPermission(t *testing.T) {
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	// The cache can start with either of them.
	list := permission{"list", "kongdao.io", "pluginmigrations", ""}
	watch := permission{"watch", "kongdao.io", "pluginmigrations", ""}
	var grantList, grantWatch func()
	restart(t, func() { grantList, grantWatch = list.revoke(t), watch.revoke(t) })
	made := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, made)
	if !isGated(made) {
		t.Error("the pod has no gate")
	}
	cluster.Eventually(t, hasLogged(list.missingMessage()))
	cluster.Eventually(t, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // the default of Prometheus
		defer cancel()
		text, err := controller.Metrics(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "\nkongdao_gated_pods 1\n") || strings.Contains(text, "\nkongdao_plugin_migrations{") {
			return errors.New("the metrics do not have the gated pod, or they have PluginMigrations")
		}
		return nil
	})
	grantWatch()
	grantList()
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, made)
}
