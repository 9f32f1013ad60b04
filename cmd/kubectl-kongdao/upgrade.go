package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/upgrade"
)

const upgradeLong = `Move a Deployment, StatefulSet or DaemonSet to other releases of its plugins.

A workload that requests a plugin without a version keeps the release that its pod template names in the annotation
kongdao.io/releases. upgrade changes this annotation: to the versions that you name, or else to the newest releases.
The workload then rolls out, and kongdao runs the migrations of the release first.

upgrade follows the rollout and the migrations until they are complete. It exits with 1 if they fail.`

const upgradeExample = `  # Show what moves to the newest releases, and which migrations follow
  kubectl kongdao upgrade deployment/kong-kong -n kong --dry-run

  # Move the plugin dao-test to a version
  kubectl kongdao upgrade deployment/kong-kong dao-test@1.2.0 -n kong

  # Move all workloads of a namespace
  kubectl kongdao upgrade --all -n kong`

const rollbackLong = `Move a Deployment, StatefulSet or DaemonSet back to the releases before the last upgrade.

Migrations stay executed. Code of the older release works with them, unless "kong migrations finish" has removed what it
needs.`

const rollbackExample = `  # Undo the last upgrade
  kubectl kongdao rollback deployment/kong-kong -n kong`

// moveOptions are the flags of "kubectl kongdao upgrade" and "rollback".
type moveOptions struct {
	all, dryRun, wait bool
	timeout           time.Duration
}

// mover moves workloads of a namespace.
type mover struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	namespace string
	options   moveOptions
}

func newUpgradeCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	m := &mover{streams: streams}
	command := newMoveCommand(m, namespaces, m.upgrade)
	command.Flags().BoolVar(&m.options.all, "all", false,
		"Move all workloads of the namespace that request plugins without a version")
	command.Use = "upgrade WORKLOAD [PLUGIN[@VERSION]...]"
	command.Short = "Move a workload to other releases of its plugins"
	command.Long, command.Example = upgradeLong, upgradeExample
	return command
}

func newRollbackCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	m := &mover{streams: streams}
	command := newMoveCommand(m, namespaces, m.rollback)
	command.Use = "rollback WORKLOAD"
	command.Short = "Move a workload back to the releases before the last upgrade"
	command.Long, command.Example = rollbackLong, rollbackExample
	return command
}

// newMoveCommand returns a command that connects to a cluster and moves workloads.
func newMoveCommand(
	m *mover, namespaces *namespaceFlags, move func(context.Context, []string) error,
) *cobra.Command {
	var connection clusterFlags
	command := &cobra.Command{RunE: func(command *cobra.Command, args []string) error {
		var err error
		if m.namespace, err = namespaces.namespace(); err != nil {
			return err
		}
		if m.client, err = connection.connect(m.streams); err != nil {
			return err
		}
		return move(command.Context(), args)
	}}
	flags := command.Flags()
	flags.BoolVar(&m.options.dryRun, "dry-run", false, "Show what changes, and change nothing")
	flags.BoolVar(&m.options.wait, "wait", true, "Follow the rollout and the migrations")
	flags.DurationVar(&m.options.timeout, "timeout", 30*time.Minute, "How long to follow them")
	connection.add(flags, namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 1, workloadNames)
	return command
}

// upgrade moves the workload in the first argument, or all workloads, to the releases in the other arguments.
func (m *mover) upgrade(ctx context.Context, args []string) error {
	if m.options.all {
		if len(args) > 0 {
			return fmt.Errorf("--all moves all plugins of all workloads; remove %q, or --all", args)
		}
		objects, err := readRequesting(ctx, m.client, m.namespace)
		if err != nil {
			return err
		}
		var errs []error
		for _, object := range objects {
			errs = append(errs, m.move(ctx, object, nil))
		}
		return errors.Join(errs...)
	}
	if len(args) == 0 {
		return errors.New("no workload; name one, such as deployment/kong, or use --all")
	}
	targets, err := parseTargets(args[1:])
	if err != nil {
		return err
	}
	object, err := readWorkload(ctx, m.client, m.namespace, args[0])
	if err != nil {
		return err
	}
	return m.move(ctx, object, targets)
}

// parseTargets parses arguments such as "dao-test" and "dao-test@1.2.0".
func parseTargets(args []string) ([]annotations.PluginRef, error) {
	targets := make([]annotations.PluginRef, len(args))
	var errs []error
	for i, argument := range args {
		target, err := annotations.ParsePluginRef(argument)
		if err != nil {
			errs = append(errs, fmt.Errorf("argument %q: %w", argument, err))
		}
		targets[i] = target
	}
	return targets, errors.Join(errs...)
}

// rollback moves the workload in the argument to its previous releases.
func (m *mover) rollback(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("name one workload, such as deployment/kong")
	}
	object, err := readWorkload(ctx, m.client, m.namespace, args[0])
	if err != nil {
		return err
	}
	previous, malformed := annotations.ParsePins(object.GetAnnotations()[annotations.PreviousReleases])
	if len(malformed) > 0 || len(previous) == 0 {
		return fmt.Errorf("%s has no previous releases in annotation %s; use \"kubectl rollout undo\", or name versions "+
			"with \"kubectl kongdao upgrade\"", args[0], annotations.PreviousReleases)
	}
	return m.move(ctx, object, previous)
}

// move moves a workload, and follows it.
func (m *mover) move(ctx context.Context, object client.Object, targets []annotations.PluginRef) error {
	workload, err := planned(object)
	if err != nil {
		return err
	}
	request, malformed := annotations.Parse(workload.Template.Annotations)
	if len(malformed) > 0 {
		return malformed
	}
	names := make([]string, len(request.Plugins))
	for i, ref := range request.Plugins {
		names[i] = ref.Name
	}
	cluster, err := readCluster(ctx, m.client, m.namespace, names, m.streams.ErrOut)
	if err != nil {
		return err
	}
	plan, err := upgrade.NewPlan(workload, targets, cluster)
	if err != nil {
		return err
	}
	fmt.Fprintln(m.streams.Out, workload.String())
	if len(plan.Changes) == 0 {
		fmt.Fprintln(m.streams.Out, "  nothing changes")
		return nil
	}
	for _, change := range plan.Changes {
		fmt.Fprintf(m.streams.Out, "  %s\n", change)
	}
	if m.options.dryRun {
		return writePins(ctx, m.client, object, plan, client.DryRunAll)
	}
	if err := writePins(ctx, m.client, object, plan); err != nil || !m.options.wait {
		return err
	}
	return m.follow(ctx, object, plan)
}
