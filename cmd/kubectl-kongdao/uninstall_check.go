package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/diagnosis"
	"kongdao.io/kongdao/pkg/status"
)

const uninstallCheckLong = `Find what waits for kongdao, and what stays after you uninstall it. The command changes
nothing.

You need the permission to list pods, workloads, ConfigMaps, PluginMigrations and PluginPolicies in all namespaces.

The exit code is 0 if nothing waits, 1 if pods or migrations wait for kongdao, and 2 if the command cannot check this.`

const uninstallCheckExample = `  # Before "helm uninstall kongdao"
  kubectl kongdao uninstall-check`

func newUninstallCheckCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	var connection clusterFlags
	output := ""
	command := &cobra.Command{
		Use:     "uninstall-check",
		Short:   "Find what waits for kongdao, and what stays after you uninstall it",
		Long:    uninstallCheckLong,
		Example: uninstallCheckExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			reader, err := connection.connect(streams)
			if err == nil {
				err = runUninstallCheck(command.Context(), streams, reader, output)
			}
			if err != nil && !errors.Is(err, errFindings) {
				return &exitError{exitCannotCheck, err}
			}
			return err
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "Output format: json. The default is text")
	completeValues(command, "output", outputJSON)
	connection.add(command.Flags(), namespaces)
	return command
}

func runUninstallCheck(
	ctx context.Context, streams genericiooptions.IOStreams, reader client.Reader, output string,
) error {
	installed, err := readInstalled(ctx, reader)
	if err != nil {
		return err
	}
	return printResults(streams, diagnosis.Uninstall(installed), output)
}

// printResults prints the results of checks. It returns an error with an exit code if a check failed.
func printResults(streams genericiooptions.IOStreams, results diagnosis.Results, output string) error {
	text := results.Text(isColored(streams.Out))
	switch output {
	case "":
	case outputJSON:
		encoded, err := json.MarshalIndent(results, "", "    ")
		if err != nil {
			return err
		}
		text = string(encoded) + "\n"
	default:
		return fmt.Errorf("unknown output format %q; use -o json", output)
	}
	if _, err := fmt.Fprint(streams.Out, text); err != nil {
		return err
	}
	if results.Worst() == diagnosis.Failed {
		return &exitError{exitFindings, errFindings}
	}
	return nil
}

// readInstalled reads what an uninstallation affects.
func readInstalled(ctx context.Context, reader client.Reader) (diagnosis.Installed, error) {
	cluster, err := readStatus(ctx, reader, "")
	if err != nil {
		return diagnosis.Installed{}, err
	}
	installed := diagnosis.Installed{Migrations: cluster.Migrations}
	for i := range cluster.Pods {
		pod := &cluster.Pods[i]
		for _, gate := range pod.Gates {
			if gate == annotations.MigrationsGate || gate == annotations.LibraryGate {
				installed.GatedPods = append(installed.GatedPods, pod.Namespace+"/"+pod.Name)
				break
			}
		}
	}
	report := status.Summarize(cluster)
	for i := range report.Workloads {
		installed.Requesting = append(installed.Requesting,
			report.Workloads[i].Namespace+"/"+report.Workloads[i].Name)
	}
	for i := range cluster.Policies {
		installed.Policies = append(installed.Policies, cluster.Policies[i].Name)
	}
	if installed.Sources, err = configMapsLabelled(ctx, reader, annotations.Plugin); err != nil {
		return installed, err
	}
	installed.Copies, err = configMapsLabelled(ctx, reader, annotations.CopyOf)
	return installed, err
}

// configMapsLabelled returns the namespaces and names of the ConfigMaps with a label. It does not read their contents.
func configMapsLabelled(ctx context.Context, reader client.Reader, label string) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	if err := reader.List(ctx, list, client.HasLabels{label}); err != nil {
		return nil, fmt.Errorf("list the ConfigMaps labelled %s: %w", label, err)
	}
	var found []string
	for i := range list.Items {
		found = append(found, list.Items[i].Namespace+"/"+list.Items[i].Name)
	}
	return found, nil
}
