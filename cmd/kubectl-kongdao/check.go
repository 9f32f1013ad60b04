package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/diagnosis"
)

const checkLong = `Check the installation of kongdao in a cluster: the API server, the Deployments, the webhooks, their
certificate, an admission in a dry run, and the pods and migrations that wait. Each line says ok, warning or failed. A
hint says what to do.

Use an account that may read all namespaces. What it may not read counts as missing. The dry run creates no pod.

The exit code is 0 without failures, 1 with failures, and 2 if check cannot connect to the cluster.`

const checkExample = `  # Check a cluster before the installation
  kubectl kongdao check --pre

  # Check an installation, and wait until it works
  kubectl kongdao check --wait 2m

  # Check whether kongdao is called for the pods of a namespace
  kubectl kongdao check -n kong`

// checkCommand checks an installation.
type checkCommand struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	discovery discovery.DiscoveryInterface
	namespace string
	pre       bool
	wait      time.Duration
	output    string
	now       func() time.Time
}

func newCheckCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	c := &checkCommand{streams: streams, now: time.Now}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "check",
		Short:   "Check the installation of kongdao in the cluster",
		Long:    checkLong,
		Example: checkExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			err := c.connect(&connection, namespaces)
			if err == nil {
				err = c.run(command.Context())
			}
			if err != nil && !errors.Is(err, errFindings) {
				return &exitError{exitCannotCheck, err}
			}
			return err
		},
	}
	flags := command.Flags()
	flags.BoolVar(&c.pre, "pre", false, "Check the cluster before the installation")
	flags.DurationVar(&c.wait, "wait", 0, "How long to check again until nothing fails")
	flags.StringVarP(&c.output, "output", "o", "", "Output format: json. The default is text")
	completeValues(command, "output", outputJSON)
	connection.add(flags, namespaces)
	return command
}

func (c *checkCommand) connect(connection *clusterFlags, namespaces *namespaceFlags) error {
	var err error
	if c.namespace, err = namespaces.namespace(); err != nil {
		return err
	}
	if c.client, err = connection.connect(c.streams); err != nil {
		return err
	}
	config, err := connection.config.ToRESTConfig()
	if err != nil {
		return err
	}
	c.discovery, err = discovery.NewDiscoveryClientForConfig(config)
	return err
}

// run checks, and prints the results. It checks again while something fails, if the user wants to wait.
func (c *checkCommand) run(ctx context.Context) error {
	var results diagnosis.Results
	check := func(ctx context.Context) (bool, error) {
		installation, err := c.read(ctx)
		if err != nil {
			return false, err
		}
		if results, err = c.results(ctx, installation); err != nil {
			return false, err
		}
		return results.Worst() != diagnosis.Failed, nil
	}
	if c.wait > 0 {
		err := wait.PollUntilContextTimeout(ctx, pollInterval, c.wait, true, check)
		if err != nil && !wait.Interrupted(err) {
			return err
		}
	} else if _, err := check(ctx); err != nil {
		return err
	}
	return printResults(c.streams, results, c.output)
}

func (c *checkCommand) results(ctx context.Context, installation diagnosis.Installation) (diagnosis.Results, error) {
	if !c.pre {
		return diagnosis.Check(installation), nil
	}
	rights, err := readRights(ctx, c.client)
	return diagnosis.CheckBefore(installation, rights), err
}
