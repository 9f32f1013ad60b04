package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/upgrade"
	"kongdao.io/kongdao/pkg/uses"
	"kongdao.io/kongdao/pkg/workloads"
)

// pollInterval is how often the progress is read.
const pollInterval = time.Second

// follow prints the progress of a rollout and its migrations until they end.
func (m *mover) follow(ctx context.Context, object client.Object, plan upgrade.Plan) error {
	last := map[string]string{}
	report := func(what string, progress upgrade.Progress) {
		if progress.Message != "" && progress.Message != last[what] {
			last[what] = progress.Message
			fmt.Fprintf(m.streams.Out, "  %s: %s\n", what, progress.Message)
		}
	}
	isComplete := func(ctx context.Context) (bool, error) {
		if err := m.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return false, fmt.Errorf("read %s: %w", workloads.Describe(object), err)
		}
		migrations, err := uses.ReadMigrations(ctx, m.client, m.namespace)
		if err != nil {
			return false, err
		}
		migration, rollout := upgrade.MigrationOf(plan, migrations), upgrade.RolloutOf(object)
		report("migration", migration)
		report("rollout", rollout)
		for _, progress := range []upgrade.Progress{migration, rollout} {
			if progress.Failed {
				return false, fmt.Errorf("%s: %s", workloads.Describe(object), progress.Message)
			}
		}
		return migration.Done && rollout.Done, nil
	}
	err := wait.PollUntilContextTimeout(ctx, pollInterval, m.options.timeout, true, isComplete)
	if wait.Interrupted(err) {
		return fmt.Errorf("%s is not complete after %v; it continues without this command",
			workloads.Describe(object), m.options.timeout)
	}
	return err
}
