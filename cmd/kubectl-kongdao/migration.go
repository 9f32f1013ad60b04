package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/repair"
)

const migrationLong = `Retry, finish, hold or accept PluginMigrations.

These commands set annotations of PluginMigrations, or delete them. The ClusterRole edit of Kubernetes in the namespace
is enough. "kubectl get pluginmigrations" lists them.`

// migrationAction is a subcommand of "kubectl kongdao migration".
type migrationAction struct {
	name, short, long, example string
	decide                     func(*v1alpha1.PluginMigration) (repair.Action, error)
}

func newMigrationCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	command := &cobra.Command{
		Use:     "migration",
		Aliases: []string{"migrations"},
		Short:   "Retry, finish, hold or accept a migration",
		Long:    migrationLong,
		Args:    cobra.ArbitraryArgs,
		RunE:    runGroup,
	}
	command.SuggestionsMinimumDistance = maxTypos
	ignoreForeignPods := false
	finish := newMigrationActionCommand(streams, namespaces, migrationAction{
		name:  "finish",
		short: "Let kongdao run \"kong migrations finish\"",
		long: `Let kongdao run "kong migrations finish" for a migration that the annotation kongdao.io/migrations leaves to
you.

kongdao waits until no running pod of the namespace needs what it removes. It cannot be undone.`,
		example: `  # Finish a migration
  kubectl kongdao migration finish dao-test-3f0c81aa27 -n kong`,
		decide: func(migration *v1alpha1.PluginMigration) (repair.Action, error) {
			return repair.Finish(migration, ignoreForeignPods)
		},
	})
	finish.Flags().BoolVar(&ignoreForeignPods, "ignore-foreign-pods", false,
		"Do not wait for pods in other namespaces that use the same database")
	command.AddCommand(finish,
		newMigrationActionCommand(streams, namespaces, migrationAction{
			name:  "retry",
			short: "Try a failed migration again",
			long: `Try a failed migration again now. The command deletes the PluginMigration with its Job, and kongdao
creates them again while pods require them. A migration on hold continues instead.

Fix the cause first. A new release of the plugin gets a new PluginMigration without this command.`,
			example: `  # Try again after the database is back
  kubectl kongdao migration retry dao-test-3f0c81aa27 -n kong`,
			decide: repair.Retry,
		}),
		newMigrationActionCommand(streams, namespaces, migrationAction{
			name:  "hold",
			short: "Start no Job for a migration",
			long: `Start no Job for a migration. Pods that wait for it keep waiting, and a Job that runs continues.
"kubectl kongdao migration retry" ends the hold.`,
			example: `  # Keep a migration from running before the maintenance window
  kubectl kongdao migration hold dao-test-3f0c81aa27 -n kong`,
			decide: repair.Hold,
		}),
		newMigrationActionCommand(streams, namespaces, migrationAction{
			name:  "accept",
			short: "Accept a migration whose file changed after it was executed",
			long: `Accept a migration whose file changed after Kong had executed it. Kong never runs it again, so accept it
only if the change makes no difference, for example in a comment. Otherwise restore the file, or add a migration.`,
			example: `  # Accept a change of a comment
  kubectl kongdao migration accept dao-test-3f0c81aa27 -n kong`,
			decide: repair.Accept,
		}))
	return command
}

// newMigrationActionCommand returns a subcommand that changes the PluginMigrations that its arguments name.
func newMigrationActionCommand(
	streams genericiooptions.IOStreams, namespaces *namespaceFlags, action migrationAction,
) *cobra.Command {
	a := &actor{streams: streams}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     action.name + " NAME...",
		Short:   action.short,
		Long:    action.long,
		Example: action.example,
		RunE: func(command *cobra.Command, names []string) error {
			var err error
			if a.namespace, err = namespaces.namespace(); err != nil {
				return err
			}
			if a.client, err = connection.connect(streams); err != nil {
				return err
			}
			return a.changeMigrations(command.Context(), names, action.decide)
		},
	}
	a.addFlags(command.Flags())
	connection.add(command.Flags(), namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 0, migrationNames)
	return command
}

// changeMigrations decides about each named PluginMigration, and applies the action.
func (a *actor) changeMigrations(
	ctx context.Context, names []string, decide func(*v1alpha1.PluginMigration) (repair.Action, error),
) error {
	if len(names) == 0 {
		return errors.New("no PluginMigration; name one: \"kubectl get pluginmigrations\" lists them")
	}
	var errs []error
	for _, name := range names {
		migration, err := readMigration(ctx, a.client, a.namespace, name)
		if err == nil {
			var action repair.Action
			if action, err = decide(migration); err == nil {
				err = a.act(ctx, migration, fmt.Sprintf("PluginMigration %q", migration.Name), action)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// readMigration reads a PluginMigration by its name, with or without its kind: "pluginmigration/dao-test-3f0c81aa27".
func readMigration(
	ctx context.Context, reader client.Reader, namespace, argument string,
) (*v1alpha1.PluginMigration, error) {
	name := argument
	if kind, rest, hasKind := strings.Cut(argument, "/"); hasKind {
		if !isMigrationKind(kind) {
			return nil, fmt.Errorf("%q does not name a PluginMigration; write its name only", argument)
		}
		name = rest
	}
	var migration v1alpha1.PluginMigration
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &migration); err != nil {
		return nil, fmt.Errorf("read PluginMigration %q in namespace %q: %w", name, namespace, err)
	}
	return &migration, nil
}

// isMigrationKind reports whether kubectl knows PluginMigrations under a name, as in "kdmig/dao-test-3f0c81aa27".
func isMigrationKind(kind string) bool {
	switch strings.ToLower(strings.TrimSuffix(kind, ".kongdao.io")) {
	case "pluginmigration", "pluginmigrations", "kdmig":
		return true
	}
	return false
}
