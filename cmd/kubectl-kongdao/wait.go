package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/upgrade"
	"kongdao.io/kongdao/pkg/workloads"
)

const waitLong = `Wait until a migration succeeds or fails, or until the rollout of a workload and its migrations do.

wait prints what it waits for, with the time since its start. Unlike "kubectl wait", it ends when a migration fails.

The exit code is 0 after success, and 1 after a failure or the timeout.`

const waitExample = `  # Wait until the pods of a Deployment run with their plugins
  kubectl kongdao wait deployment/kong-kong -n kong

  # Wait until no migration is pending
  kubectl kongdao wait dao-test-3f0c81aa27 --for finished -n kong`

// The values of the flag --for.
const (
	forMigrated = "migrated"
	forFinished = "finished"
)

// waiter waits for migrations and rollouts.
type waiter struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	namespace string
	until     string
	timeout   time.Duration
	now       func() time.Time
}

func newWaitCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	w := &waiter{streams: streams, now: time.Now}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "wait MIGRATION|WORKLOAD",
		Short:   "Wait until a migration or a rollout succeeds or fails",
		Long:    waitLong,
		Example: waitExample,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one PluginMigration, or one workload such as deployment/kong")
			}
			if w.until != forMigrated && w.until != forFinished {
				return fmt.Errorf("--for is %q; use %s or %s", w.until, forMigrated, forFinished)
			}
			var err error
			if w.namespace, err = namespaces.namespace(); err != nil {
				return err
			}
			if w.client, err = connection.connect(streams); err != nil {
				return err
			}
			return w.run(command.Context(), args[0])
		},
	}
	command.Flags().StringVar(&w.until, "for", forMigrated,
		"migrated: the pods can start. finished: no migration is pending")
	command.Flags().DurationVar(&w.timeout, "timeout", 30*time.Minute, "How long to wait")
	completeValues(command, "for", forMigrated, forFinished)
	connection.add(command.Flags(), namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 1, migrationNames, workloadNames)
	return command
}

// step is one thing to wait for.
type step struct {
	what     string
	progress upgrade.Progress
}

// run waits for what the argument names.
func (w *waiter) run(ctx context.Context, argument string) error {
	read := w.migrationStep
	if kind, _, hasKind := strings.Cut(argument, "/"); hasKind && !isMigrationKind(kind) {
		read = w.workloadSteps
	}
	start, last := w.now(), map[string]string{}
	report := func(steps []step) {
		for _, s := range steps {
			if s.progress.Message != "" && last[s.what] != s.progress.Message {
				last[s.what] = s.progress.Message
				elapsed := w.now().Sub(start).Truncate(time.Second)
				fmt.Fprintf(w.streams.Out, "%5s  %s: %s\n", elapsed, s.what, s.progress.Message)
			}
		}
	}
	err := wait.PollUntilContextTimeout(ctx, pollInterval, w.timeout, true, func(ctx context.Context) (bool, error) {
		steps, err := read(ctx, argument)
		if err != nil {
			return false, err
		}
		report(steps)
		done := true
		for _, s := range steps {
			if s.progress.Failed {
				return false, fmt.Errorf("%s: %s", s.what, s.progress.Message)
			}
			done = done && s.progress.Done
		}
		return done, nil
	})
	if wait.Interrupted(err) {
		return fmt.Errorf("%s is not done after %v; it continues without this command", argument, w.timeout)
	}
	return err
}

func (w *waiter) migrationStep(ctx context.Context, argument string) ([]step, error) {
	migration, err := readMigration(ctx, w.client, w.namespace, argument)
	if err != nil {
		return nil, err
	}
	progress := upgrade.ProgressOf(migration, w.until == forFinished)
	return []step{{fmt.Sprintf("PluginMigration %q", migration.Name), progress}}, nil
}

// workloadSteps returns the migrations that pods of a workload wait for, and its rollout.
func (w *waiter) workloadSteps(ctx context.Context, argument string) ([]step, error) {
	object, err := readWorkload(ctx, w.client, w.namespace, argument)
	if err != nil {
		return nil, err
	}
	selector, err := workloads.Selector(object)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	err = w.client.List(ctx, &pods, client.InNamespace(w.namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", workloads.Describe(object), err)
	}
	var names []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		if name := pod.Annotations[annotations.Migration]; name != "" && pod.DeletionTimestamp == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var steps []step
	for _, name := range slices.Compact(names) {
		migration, err := w.migrationStep(ctx, name)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		steps = append(steps, migration...)
	}
	return append(steps, step{workloads.Describe(object), upgrade.RolloutOf(object)}), nil
}
