package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const versionLong = `Print the version of this program, and of kongdao in the cluster.

To see the version in the cluster, you need the permission to list Deployments in all namespaces.`

const versionExample = `  # Print both versions
  kubectl kongdao version

  # Print the version of this program, without a connection
  kubectl kongdao version --client`

// The labels of kongdao's Deployments.
const (
	partOfLabel  = "app.kubernetes.io/part-of"
	versionLabel = "app.kubernetes.io/version"
)

// versions are the versions of this program and of the cluster.
type versions struct {
	Client string `json:"client"`
	// Server has one element for each Deployment of kongdao.
	Server []serverVersion `json:"server,omitempty"`
}

// serverVersion is the version of a Deployment.
type serverVersion struct {
	Deployment string `json:"deployment"`
	Version    string `json:"version"`
	Image      string `json:"image"`
}

func newVersionCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	var connection clusterFlags
	var output string
	clientOnly := false
	command := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of this program and of kongdao in the cluster",
		Long:    versionLong,
		Example: versionExample,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found := versions{Client: version}
			var serverErr error
			if !clientOnly {
				reader, err := connection.connect(streams)
				if err == nil {
					found.Server, err = readServerVersions(command.Context(), reader)
				}
				serverErr = err
			}
			return errors.Join(printVersions(streams, found, output), serverErr)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&clientOnly, "client", false, "Print only the version of this program")
	flags.StringVarP(&output, "output", "o", "", "Output format: json or yaml. The default is text")
	completeValues(command, "output", outputJSON, outputYAML)
	connection.add(flags, namespaces)
	return command
}

// readServerVersions reads the versions of kongdao's Deployments.
func readServerVersions(ctx context.Context, reader client.Reader) ([]serverVersion, error) {
	var list appsv1.DeploymentList
	if err := reader.List(ctx, &list, client.MatchingLabels{partOfLabel: "kongdao"}); err != nil {
		return nil, fmt.Errorf("read the version in the cluster: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, errors.New("kongdao is not installed in the cluster: no Deployment has the label " +
			partOfLabel + "=kongdao")
	}
	var found []serverVersion
	for i := range list.Items {
		deployment := &list.Items[i]
		server := serverVersion{
			Deployment: deployment.Namespace + "/" + deployment.Name, Version: deployment.Labels[versionLabel],
		}
		for _, container := range deployment.Spec.Template.Spec.Containers {
			server.Image = container.Image
			break
		}
		found = append(found, server)
	}
	return found, nil
}

func printVersions(streams genericiooptions.IOStreams, found versions, output string) error {
	var text []byte
	var err error
	switch output {
	case "":
		var lines strings.Builder
		fmt.Fprintf(&lines, "kubectl kongdao: %s\n", found.Client)
		for _, server := range found.Server {
			fmt.Fprintf(&lines, "%s: %s, image %s\n", server.Deployment, server.Version, server.Image)
		}
		text = []byte(lines.String())
	case outputJSON:
		text, err = json.MarshalIndent(found, "", "    ")
		text = append(text, '\n')
	case outputYAML:
		text, err = yaml.Marshal(found)
	default:
		return fmt.Errorf("unknown output format %q; use -o json or -o yaml", output)
	}
	if err == nil {
		_, err = streams.Out.Write(text)
	}
	return err
}
