package controllers

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// step is a point at which the controller is killed.
type step struct {
	// reached are its signs.
	reached []func(ctx context.Context) error
	// lacks is the right without which it comes no further than here.
	lacks *right
	// begins is what leads here, meanwhile what happens while nobody is there.
	begins, meanwhile func()
}

// TestKilledAtEachStep proves that a controller that is killed at any step goes
// on where it was when it comes back: there is one Job for "up" and one for
// "finish", and the pod goes. A right that is taken away holds it at exactly the
// step at which it is killed.
func TestKilledAtEachStep(t *testing.T) {
	ns := namespace(t)
	daoTest(t, ns)
	first := pod(ns, "first", "dao-test@1.1.0")
	records, jobs := right{"create", "kongdao.io", "pluginmigrations", ""}, right{"create", "batch", "jobs", ""}
	gates, statuses := right{"patch", "", "pods", ""}, right{"update", "kongdao.io", "pluginmigrations", "status"}
	type signs = []func(ctx context.Context) error
	steps := []step{
		{lacks: &records, begins: func() { create(t, first) }, reached: signs{hasGate(first, true), logged(records.missed())}},
		{lacks: &jobs, reached: signs{phaseIs(ns, ""), logged(jobs.missed())}},
		{lacks: &statuses, reached: signs{phaseIs(ns, ""), jobsAre(ns, 1), logged(statuses.missed())}},
		{reached: signs{phaseIs(ns, v1alpha1.PhaseMigrating), jobsAre(ns, 1)}, meanwhile: func() { end(t, job(t, ns, "up"), pending()) }},
		{lacks: &gates, reached: signs{hasGate(first, true), logged(gates.missed())}},
		{lacks: &statuses, reached: signs{hasGate(first, false), phaseIs(ns, v1alpha1.PhaseMigrating)}, meanwhile: func() { serve(t, first) }},
		// What "up" came to is written down before "finish" begins.
		{lacks: &jobs, reached: signs{phaseIs(ns, v1alpha1.PhaseMigrated), jobsAre(ns, 1)}},
		{lacks: &statuses, reached: signs{phaseIs(ns, v1alpha1.PhaseMigrated), jobsAre(ns, 2)}},
		{reached: signs{phaseIs(ns, v1alpha1.PhaseFinishing), jobsAre(ns, 2)}, meanwhile: func() { end(t, job(t, ns, "finish"), done()) }},
		{reached: signs{phaseIs(ns, v1alpha1.PhaseFinished)}},
	}
	giveBack := steps[0].take(t)
	for i, at := range steps {
		if at.begins != nil {
			at.begins()
		}
		for _, sign := range at.reached {
			eventually(t, sign)
		}
		t.Logf("reached step %d", i+1)
		restart(t, func() {
			if at.meanwhile != nil {
				at.meanwhile()
			}
			giveBack()
			if i+1 < len(steps) {
				giveBack = steps[i+1].take(t)
			}
		})
	}
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up", "finish")
}

func (s step) take(t *testing.T) (giveBack func()) {
	if s.lacks == nil {
		return func() {}
	}
	return s.lacks.take(t)
}

// phaseIs is the sign that the one PluginMigration is in a phase.
func phaseIs(namespace string, phase v1alpha1.Phase) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		records, err := recordsOf(ctx, namespace)
		if err != nil || len(records) == 1 && records[0].Status.Phase == phase {
			return err
		}
		return fmt.Errorf("not one that is %q: %+v", phase, records)
	}
}

// jobsAre is the sign that so many Jobs were made.
func jobsAre(namespace string, count int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		jobs, err := jobsOf(ctx, namespace)
		if err != nil || len(jobs) == count {
			return err
		}
		return fmt.Errorf("%d Jobs, not %d", len(jobs), count)
	}
}

// hasGate is the sign that a pod waits, or does not any more.
func hasGate(pod *corev1.Pod, gated bool) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		if err != nil || isGated(pod) == gated {
			return err
		}
		return fmt.Errorf("that the pod has its gate is %v", !gated)
	}
}
