package controllers

import (
	"context"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

// step is a moment when the test kills the controller.
type step struct {
	// revoked are permissions that the controller needs to continue after this step. An error does not prevent the other
	// parts of a plan, so a step can need several. It has none if the controller stops here anyway.
	revoked []permission
	// begin starts what leads to this step.
	begin func()
	// reached are checks that succeed at this step.
	reached []func(ctx context.Context) error
	// meanwhile is what happens after the kill and before the restart.
	meanwhile func()
}

// TestKillAtEachStep proves that a controller that is killed at any step continues from there after a restart. There is
// one Job for "up" and one for "finish", and the pod starts. A missing permission stops the controller at exactly this
// step.
func TestKillAtEachStep(t *testing.T) {
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	first := pod(ns, "first", "dao-test@1.1.0")
	createMigrations := permission{"create", "kongdao.io", "pluginmigrations", ""}
	createJobs := permission{"create", "batch", "jobs", ""}
	removeGates := permission{"patch", "", "pods", ""}
	updateStatus := permission{"update", "kongdao.io", "pluginmigrations", "status"}
	type checks = []func(ctx context.Context) error
	steps := []step{
		{
			revoked: []permission{createMigrations}, begin: func() { shared.Create(t, first) },
			reached: checks{hasGate(first, true), hasLogged(createMigrations.missingMessage())},
		},
		{
			revoked: []permission{createJobs, updateStatus},
			reached: checks{phaseIs(ns, ""), jobsAre(ns, 0), hasLogged(createJobs.missingMessage())},
		},
		{
			revoked: []permission{updateStatus},
			reached: checks{phaseIs(ns, ""), jobsAre(ns, 1), hasLogged(updateStatus.missingMessage())},
		},
		{
			reached:   checks{phaseIs(ns, v1alpha1.PhaseMigrating), jobsAre(ns, 1)},
			meanwhile: func() { endJob(t, runningJob(t, ns, "up"), pending()) },
		},
		{
			revoked: []permission{removeGates, updateStatus},
			reached: checks{hasGate(first, true), hasLogged(removeGates.missingMessage())},
		},
		{
			revoked: []permission{updateStatus}, reached: checks{hasGate(first, false), phaseIs(ns, v1alpha1.PhaseMigrating)},
			meanwhile: func() { makeReady(t, first) },
		},
		// The result of "up" is written before "finish" starts.
		{
			revoked: []permission{createJobs},
			reached: checks{phaseIs(ns, v1alpha1.PhaseMigrated), jobsAre(ns, 1), hasLogged(createJobs.missingMessage())},
		},
		{revoked: []permission{updateStatus}, reached: checks{phaseIs(ns, v1alpha1.PhaseMigrated), jobsAre(ns, 2)}},
		{
			reached:   checks{phaseIs(ns, v1alpha1.PhaseFinishing), jobsAre(ns, 2)},
			meanwhile: func() { endJob(t, runningJob(t, ns, "finish"), done()) },
		},
		{reached: checks{phaseIs(ns, v1alpha1.PhaseFinished)}},
	}
	grant := steps[0].revoke(t)
	for i, at := range steps {
		if at.begin != nil {
			at.begin()
		}
		for _, check := range at.reached {
			cluster.Eventually(t, check)
		}
		t.Logf("reached step %d", i+1)
		restart(t, func() {
			if at.meanwhile != nil {
				at.meanwhile()
			}
			grant()
			if i+1 < len(steps) {
				grant = steps[i+1].revoke(t)
			}
		})
	}
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up", "finish")
}

func (s step) revoke(t *testing.T) (grant func()) {
	t.Helper()
	var grants []func()
	for _, permission := range s.revoked {
		grants = append(grants, permission.revoke(t))
	}
	return func() {
		for _, grant := range slices.Backward(grants) { // each restores what the role had before it
			grant()
		}
	}
}

// phaseIs returns a check that there is one PluginMigration, in a phase.
func phaseIs(namespace string, phase v1alpha1.Phase) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		migrations, err := migrationsIn(ctx, namespace)
		if err != nil || len(migrations) == 1 && migrations[0].Status.Phase == phase {
			return err
		}
		return fmt.Errorf("want one PluginMigration in phase %q, have %+v", phase, migrations)
	}
}

// jobsAre returns a check of the number of Jobs.
func jobsAre(namespace string, count int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		jobs, err := jobsIn(ctx, namespace)
		if err != nil || len(jobs) == count {
			return err
		}
		return fmt.Errorf("there are %d Jobs, want %d", len(jobs), count)
	}
}

// hasGate returns a check whether a pod has our gate.
func hasGate(pod *corev1.Pod, gated bool) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		if err != nil || isGated(pod) == gated {
			return err
		}
		return fmt.Errorf("the pod is gated: %v, want %v", !gated, gated)
	}
}
