package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/status"
	"kongdao.io/kongdao/pkg/workloads"
)

const statusLong = `Show the workloads that request plugins or have them: which releases their pods run, which pods lack
the plugins and why, and how far the migrations are.

PODS counts the pods that have what the pod template requests, of all pods. STATE is Ready, Updating, Waiting or
Problem. The ClusterRole view of Kubernetes in the namespace is enough.`

const statusExample = `  # Show the workloads of a namespace
  kubectl kongdao status -n kong

  # Show all workloads with all messages, and update the table when something changes
  kubectl kongdao status -A -o wide --watch`

// The output formats of status, in addition to yaml and json.
const (
	outputTable = ""
	outputWide  = "wide"
	outputName  = "name"
)

// statusCommand shows a report about workloads.
type statusCommand struct {
	streams       genericiooptions.IOStreams
	client        client.Client
	namespace     string
	allNamespaces bool
	output        string
	watch         bool
	interval      time.Duration
}

func newStatusCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	s := &statusCommand{streams: streams}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "status [WORKLOAD...]",
		Short:   "Show which plugins workloads have, and what they wait for",
		Long:    statusLong,
		Example: statusExample,
		RunE: func(command *cobra.Command, args []string) error {
			if err := s.validate(args); err != nil {
				return err
			}
			var err error
			if !s.allNamespaces {
				if s.namespace, err = namespaces.namespace(); err != nil {
					return err
				}
			}
			if s.client, err = connection.connect(streams); err != nil {
				return err
			}
			return s.run(command.Context(), args)
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "Show the workloads of all namespaces")
	flags.StringVarP(&s.output, "output", "o", outputTable,
		"Output format: wide, json, yaml or name. The default is a table")
	flags.BoolVarP(&s.watch, "watch", "w", false, "Show the table again when it changes")
	flags.DurationVar(&s.interval, "interval", 2*time.Second, "How often --watch reads the cluster")
	completeValues(command, "output", outputWide, outputJSON, outputYAML, outputName)
	connection.add(flags, namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 0, workloadNames)
	return command
}

func (s *statusCommand) validate(args []string) error {
	var errs []error
	if !slices.Contains([]string{outputTable, outputWide, outputJSON, outputYAML, outputName}, s.output) {
		errs = append(errs, fmt.Errorf("unknown output format %q; use -o wide, json, yaml or name", s.output))
	}
	if s.watch && s.output != outputTable && s.output != outputWide {
		errs = append(errs, fmt.Errorf("--watch shows a table; remove it, or -o %s", s.output))
	}
	if s.allNamespaces && len(args) > 0 {
		errs = append(errs, errors.New("-A shows all workloads; remove it, or the names of workloads"))
	}
	for _, argument := range args {
		kind, name, _ := strings.Cut(argument, "/")
		if _, known := workloads.KindNamed(kind); !known || name == "" {
			errs = append(errs, fmt.Errorf("%q does not name a workload; write deployment/NAME, statefulset/NAME or "+
				"daemonset/NAME", argument))
		}
	}
	return errors.Join(errs...)
}

func (s *statusCommand) run(ctx context.Context, args []string) error {
	if s.watch {
		return s.follow(ctx, args)
	}
	report, err := s.report(ctx, args)
	if err != nil {
		return err
	}
	text, err := s.format(report)
	if err != nil {
		return err
	}
	if len(report.Workloads) == 0 && (s.output == outputTable || s.output == outputWide) {
		return s.explainEmpty()
	}
	_, err = s.streams.Out.Write([]byte(text))
	return err
}

// explainEmpty says that there is nothing to show.
func (s *statusCommand) explainEmpty() error {
	where := "in this cluster"
	if s.namespace != "" {
		where = fmt.Sprintf("in namespace %q", s.namespace)
	}
	_, err := fmt.Fprintf(s.streams.ErrOut,
		"No workload %s requests plugins. Annotate one with kongdao.io/plugins: see \"kubectl kongdao --help\"\n", where)
	return err
}

// report reads the cluster, and selects the workloads that the arguments name.
func (s *statusCommand) report(ctx context.Context, args []string) (status.Report, error) {
	cluster, err := readStatus(ctx, s.client, s.namespace)
	if err != nil {
		return status.Report{}, err
	}
	report := status.Summarize(cluster)
	if len(args) == 0 {
		return report, nil
	}
	selected := status.Report{Workloads: []status.Workload{}}
	for _, argument := range args {
		kindName, name, _ := strings.Cut(argument, "/")
		kind, _ := workloads.KindNamed(kindName)
		at := slices.IndexFunc(report.Workloads, func(w status.Workload) bool {
			return w.Kind == workloads.KindOf(kind.New()) && w.Name == name
		})
		if at < 0 {
			return selected, fmt.Errorf("%s in namespace %q does not exist, or does not request plugins", argument, s.namespace)
		}
		selected.Workloads = append(selected.Workloads, report.Workloads[at])
	}
	return selected, nil
}

// format formats a report in the output format.
func (s *statusCommand) format(report status.Report) (string, error) {
	switch s.output {
	case outputJSON:
		text, err := json.MarshalIndent(report, "", "    ")
		return string(text) + "\n", err
	case outputYAML:
		text, err := yaml.Marshal(report)
		return string(text), err
	case outputName:
		var names strings.Builder
		for i := range report.Workloads {
			names.WriteString(report.Workloads[i].Label() + "\n")
		}
		return names.String(), nil
	}
	return report.Table(status.TableOptions{
		Wide: s.output == outputWide, WithNamespace: s.namespace == "", Colored: isColored(s.streams.Out),
	}), nil
}

// clearScreen moves the cursor to the top of a terminal, and clears it.
const clearScreen = "\x1b[H\x1b[2J"

// follow shows the table again when it changes, until ctx ends. On a terminal it replaces the table.
func (s *statusCommand) follow(ctx context.Context, args []string) error {
	last := ""
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		report, err := s.report(ctx, args)
		switch {
		case ctx.Err() != nil:
			return nil // the user ends the command
		case err != nil:
			return err
		}
		text, err := s.format(report)
		if err != nil {
			return err
		}
		if text != last {
			prefix := ""
			if isTerminal(s.streams.Out) {
				prefix = clearScreen
			} else if last != "" {
				prefix = "\n"
			}
			if _, err := fmt.Fprint(s.streams.Out, prefix, text); err != nil {
				return err
			}
			last = text
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
