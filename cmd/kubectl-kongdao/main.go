// Command kubectl-kongdao is a plugin of kubectl. If it is on the PATH under this name, "kubectl kongdao" runs it.
//
//	pack:    folder   -> readFolder -> pack.Pack -> ConfigMaps
//	verify:  folder or release -> verify.NewJob -> Kong's words
//	lint:    folder or ConfigMaps -> checks.Check -> lintreport.Report
//	inject:  files    -> inputs.read -> manifest.Inject -> manifests, or a diff
//	status:  cluster  -> readStatus -> status.Summarize -> a table
//	explain, plan: pod -> readCluster -> explain.New or migrationplan.New -> text
//	migration, ungate: objects -> repair -> an action, after a confirmation
//	upgrade: workload -> readCluster -> upgrade.NewPlan -> a patch; then upgrade.RolloutOf and MigrationOf
//
// The commands only parse flags, read files or objects, and print results. The packages do the work, and the webhook
// uses the same ones.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// version is set by the linker.
var version = "devel"

func main() {
	os.Exit(run(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args[1:]))
}

// run runs the program and returns its exit code.
func run(streams genericiooptions.IOStreams, args []string) int {
	command := newCommand(streams)
	command.SetArgs(args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := command.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errFindings) && !errors.Is(err, errDifferences) {
		fmt.Fprint(streams.ErrOut, errorText(err))
	}
	return exitCode(err)
}

// exitCode returns the exit code for the error of a command.
func exitCode(err error) int {
	if withCode, ok := errors.AsType[*exitError](err); ok {
		return withCode.code
	}
	if err != nil {
		return 1
	}
	return 0
}
