// Command webhook is the process of kongdao's admission webhook and controllers. It runs in a cluster, or outside of a
// cluster with --kubeconfig.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// version is set at build time.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "webhook: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	options := DefaultOptions()
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	options.AddFlags(flags)
	flags.SetOutput(os.Stdout) // only for --help: Parse returns mistakes as errors
	showVersion := flags.Bool("version", false, "print the version and exit")
	switch err := flags.Parse(arguments); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected arguments %q: this command has only flags; see --help", flags.Args())
	case *showVersion:
		fmt.Println(version)
		return nil
	}
	if err := options.Validate(); err != nil {
		return err
	}
	return serve(ctx, options)
}
