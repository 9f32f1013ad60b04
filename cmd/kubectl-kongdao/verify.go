package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/verify"
	"kongdao.io/kongdao/pkg/workloads"
)

const verifyLong = `Let Kong load a plugin, and print what Kong says.

verify runs Kong without a database and without a network, in a separate Job, and deletes the Job afterwards. It runs the
Kong of a workload, or of an image. The plugin is in a folder, or is a release in the cluster. With --local, a
container runtime on this machine runs Kong instead of a cluster.

verify finds what "kubectl kongdao lint" cannot know: code that fails, and modules that the image lacks. Kong does not
look at migrations without a database, so use lint for these.

The exit code is 0 if Kong loads the plugin, 1 if it does not, and 2 if verify could not run Kong.`

const verifyExample = `  # Let the Kong of a Deployment load the plugin in a folder
  kubectl kongdao verify ./dao-test --workload deployment/kong-kong -n kong

  # Let another version of Kong load a release in the cluster
  kubectl kongdao verify dao-test@1.1.0 --image kong:3.9 -n kong

  # Use Docker
  kubectl kongdao verify ./dao-test --image kong:3.9 --local docker`

// verifier runs Kong on a plugin.
type verifier struct {
	streams    genericiooptions.IOStreams
	connection clusterFlags
	namespaces *namespaceFlags

	name, image, workload, local string
	timeout                      time.Duration
	keep                         bool
	namespace                    string
}

func newVerifyCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	v := &verifier{streams: streams, namespaces: namespaces}
	command := &cobra.Command{
		Use:     "verify DIR|PLUGIN[@VERSION]",
		Short:   "Let Kong load a plugin, without a database",
		Long:    verifyLong,
		Example: verifyExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			err := v.run(command.Context(), args[0])
			if err != nil && !errors.Is(err, errFindings) {
				return &exitError{exitCannotCheck, err}
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&v.name, "name", "", "Name of the plugin in the folder. The default is the name of the folder")
	flags.StringVar(&v.image, "image", "", "Image of Kong, such as kong:3.9")
	flags.StringVar(&v.workload, "workload", "",
		"Workload that runs Kong, such as deployment/kong: verify uses its image and settings")
	flags.StringVar(&v.local, "local", "", "Container runtime on this machine: docker, podman or nerdctl")
	flags.DurationVar(&v.timeout, "timeout", 2*time.Minute, "How long to wait for Kong")
	flags.BoolVar(&v.keep, "keep", false, "Keep the Job, for example to look at its pod. It is deleted after ten minutes")
	completeValues(command, "local", verify.Runtimes()...)
	v.connection.add(flags, namespaces)
	return command
}

func (v *verifier) run(ctx context.Context, argument string) error {
	if err := v.validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	started := time.Now()
	var result verify.Result
	var err error
	if v.local != "" {
		result, err = v.runLocally(ctx, argument)
	} else {
		result, err = v.runInCluster(ctx, argument)
	}
	if err != nil {
		return err
	}
	return v.report(result, time.Since(started))
}

// validate checks the flags.
func (v *verifier) validate() error {
	var errs []error
	if (v.image == "") == (v.workload == "") {
		errs = append(errs, errors.New("name the Kong to run: either --image kong:3.9, or --workload deployment/NAME"))
	}
	if v.local != "" && !slices.Contains(verify.Runtimes(), v.local) {
		errs = append(errs, fmt.Errorf("--local is %q; use %s", v.local, strings.Join(verify.Runtimes(), ", ")))
	}
	if v.local != "" && v.image == "" {
		errs = append(errs, errors.New("--local needs --image, because it does not read the cluster"))
	}
	return errors.Join(errs...)
}

// report prints the result.
func (v *verifier) report(result verify.Result, duration time.Duration) error {
	switch {
	case result.Loads:
		fmt.Fprintf(v.streams.Out, "Kong loads the plugin (%s)\n", duration.Round(100*time.Millisecond))
		return nil
	case result.IsRejected:
		fmt.Fprintf(v.streams.Out, "Kong cannot load the plugin:\n%s\n", result.Words)
		return &exitError{exitFindings, errFindings}
	}
	return fmt.Errorf("no verdict: Kong did not start, and does not say that the plugin is the reason:\n%s", result.Words)
}

// isFolder reports whether the argument names a folder, and not a release in the cluster.
func isFolder(argument string) bool {
	info, err := os.Stat(argument)
	return err == nil && info.IsDir() || strings.ContainsAny(argument, `/\`)
}

// kong returns the Kong to run.
func (v *verifier) kong(ctx context.Context, reader client.Reader) (verify.Kong, error) {
	if v.workload == "" {
		return verify.Kong{Image: v.image}, nil
	}
	object, err := readWorkload(ctx, reader, v.namespace, v.workload)
	if err != nil {
		return verify.Kong{}, err
	}
	view, err := workloads.TemplateView(object)
	if err != nil {
		return verify.Kong{}, err
	}
	request, _ := annotations.Parse(view.Annotations) // the webhook reports a malformed one
	container := mutate.KongContainer(view, request)
	if container == nil {
		return verify.Kong{}, fmt.Errorf("%s: no container runs Kong; use --image", workloads.Describe(object))
	}
	kong, _ := verify.KongOf(&workloads.Template(object).Spec, container.Name)
	return kong, nil
}
