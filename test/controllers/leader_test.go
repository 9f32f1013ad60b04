package controllers

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/installation"
)

// TestNobodyLeads proves that pods of a database that is migrated never wait for
// the controller: they go also while another holds the Lease that is not there.
// Others wait, and go when that one's time is over.
func TestNobodyLeads(t *testing.T) {
	ns := namespace(t)
	daoTest(t, ns)
	migrated(t, ns, "first", "dao-test@1.0.0")
	restart(t, func() {
		giveUpLease(t)
		held := lease()
		held.Spec = coordinationv1.LeaseSpec{
			HolderIdentity: new("another"), LeaseDurationSeconds: new(int32(3600)), LeaseTransitions: new(int32(1)),
			AcquireTime: new(metav1.NowMicro()), RenewTime: new(metav1.NowMicro()),
		}
		create(t, held)
	})
	out, other := pod(ns, "scaled-out", "dao-test@1.0.0"), pod(ns, "other", "dao-test@1.1.0")
	create(t, out, other)
	if isGated(out) {
		t.Error("a pod of a database that is migrated waits while nobody leads")
	}
	if !isGated(other) {
		t.Error("a pod of a database that is not does not wait")
	}
	serve(t, out)
	if records, err := recordsOf(t.Context(), ns); err != nil || len(records) != 1 {
		t.Errorf("%d PluginMigrations, of which one was made by nobody who leads: %v", len(records), err)
	}
	giveUpLease(t)
	end(t, job(t, ns, "up"), done())
	lifted(t, other)
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestTheOtherReplicaTakesOver proves that of two replicas one does what there is
// to do, and that the other goes on with it when the first is killed and its Lease
// has expired.
func TestTheOtherReplicaTakesOver(t *testing.T) {
	ns := namespace(t)
	daoTest(t, ns)
	_, kubeconfig, err := plane.User(installation.WebhookUser)
	if err != nil {
		t.Fatal(err)
	}
	other, err := installation.NewWebhook(plane, program, t.TempDir(), kubeconfig, "--migrations", "--namespace", system)
	if err != nil {
		t.Fatal(err)
	}
	migrated(t, ns, "first", "dao-test@1.0.0") // so the first leads
	if err := other.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := pod(ns, "second", "dao-test@1.1.0")
	create(t, second)
	up := job(t, ns, "up")
	if err := webhook.Kill(); err != nil {
		t.Fatal(err)
	}
	end(t, up, done())
	lifted(t, second)
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up", "up")
	if err := errors.Join(other.Kill(), checkLog(other)); err != nil {
		t.Error(err)
	}
	giveUpLease(t)
	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestTheLeaseIsGivenUp proves that one who is told to end lets the next lead at
// once.
func TestTheLeaseIsGivenUp(t *testing.T) {
	ns := namespace(t)
	daoTest(t, ns)
	migrated(t, ns, "first", "dao-test@1.0.0") // it leads
	if err := webhook.Terminate(); err != nil {
		t.Fatal(err)
	}
	// controller-runtime ends what leads last, and calls that an error.
	expect("leader election lost")
	began := time.Now()
	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	create(t, pod(ns, "second", "dao-test@1.1.0"))
	end(t, job(t, ns, "up"), done())
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the next has led after %v, which is when the Lease expires", took)
	}
}

// TestWithoutARight proves that a webhook which may not read PluginMigrations says
// so, goes on to serve metrics and to admit, with what brings migrations waiting,
// and goes on when it has the right.
func TestWithoutARight(t *testing.T) {
	ns := namespace(t)
	daoTest(t, ns)
	// The cache can do with either.
	list, watch := right{"list", "kongdao.io", "pluginmigrations", ""}, right{"watch", "kongdao.io", "pluginmigrations", ""}
	var giveList, giveWatch func()
	restart(t, func() { giveList, giveWatch = list.take(t), watch.take(t) })
	made := pod(ns, "kong", "dao-test@1.0.0")
	create(t, made)
	if !isGated(made) {
		t.Error("the pod does not wait")
	}
	eventually(t, logged(list.missed()))
	eventually(t, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // as Prometheus does
		defer cancel()
		text, err := webhook.Metrics(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "\nkongdao_gated_pods 1\n") || strings.Contains(text, "\nkongdao_plugin_migrations{") {
			return errors.New("the metrics lack the gated pod, or tell what nobody knows")
		}
		return nil
	})
	giveWatch()
	giveList()
	end(t, job(t, ns, "up"), done())
	lifted(t, made)
}

// TestWithoutTheCRDs proves that a webhook on a cluster that does not know its
// kinds ends with words that say what to do.
func TestWithoutTheCRDs(t *testing.T) {
	definitions, err := installation.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	if err := webhook.Kill(); err != nil {
		t.Fatal(err)
	}
	giveUpLease(t)
	for _, definition := range definitions {
		remove(t, definition)
		eventually(t, func(ctx context.Context) error {
			if err := installation.CheckCRD(ctx, plane, definition); !meta.IsNoMatchError(err) {
				return errors.Join(errors.New("the API server tells of the CRD"), err)
			}
			return nil
		})
	}
	before, err := os.ReadFile(webhook.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	err = webhook.StartAndWait(t.Context())
	if err == nil {
		t.Error("it runs")
	}
	log, readErr := os.ReadFile(webhook.LogFile())
	if readErr != nil {
		t.Fatal(readErr)
	}
	log = bytes.TrimPrefix(log, before)
	const want = "of kongdao.io/v1alpha1: install kongdao's CRDs, or remove the flags --migrations and --policies"
	if !strings.Contains(string(log), want) {
		t.Errorf("it does not say %q, but: %s", want, log)
	}
	expect("the cluster has no kind")
	if err := installation.InstallCRDs(t.Context(), plane); err != nil {
		t.Fatal(err)
	}
	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ns := namespace(t)
	daoTest(t, ns)
	migrated(t, ns, "first", "dao-test@1.0.0")
}
