package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// Program is a process of kongdao.
type Program struct {
	// Name is the name of the program in messages, and Version is what --version prints.
	Name, Version string
	// AddFlags adds a flag for each option.
	AddFlags func(*pflag.FlagSet)
	// Validate returns all mistakes in the options.
	Validate func() error
	// Serve runs until the context ends.
	Serve func(context.Context) error
}

// Main runs the program with the arguments of the process. It ends the process with exit code 1 if there is an error,
// and returns otherwise. SIGINT and SIGTERM end the context of Serve.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := p.run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		stop()
		os.Exit(1)
	}
}

func (p Program) run(ctx context.Context, arguments []string, output io.Writer) error {
	flags := pflag.NewFlagSet(p.Name, pflag.ContinueOnError)
	p.AddFlags(flags)
	flags.SetOutput(output) // only for --help: Parse returns mistakes as errors
	showVersion := flags.Bool("version", false, "print the version and exit")
	switch err := flags.Parse(arguments); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected arguments %q: this command has only flags; see --help", flags.Args())
	case *showVersion:
		fmt.Fprintln(output, p.Version)
		return nil
	}
	if err := p.Validate(); err != nil {
		return err
	}
	return p.Serve(ctx)
}
