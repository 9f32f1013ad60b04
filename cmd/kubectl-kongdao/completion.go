package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/workloads"
)

// completionTimeout limits how long a completion reads the cluster.
const completionTimeout = 3 * time.Second

// listNames lists the names that an argument can have in a namespace.
type listNames func(ctx context.Context, reader client.Reader, namespace string) ([]string, error)

// completeNames returns a completion of arguments with names from the cluster. Without a connection there are none.
func completeNames(
	connection *clusterFlags, namespaces *namespaceFlags, maxArguments int, lists ...listNames,
) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		const noFiles = cobra.ShellCompDirectiveNoFileComp
		if maxArguments > 0 && len(args) >= maxArguments {
			return nil, noFiles
		}
		ctx, cancel := context.WithTimeout(command.Context(), completionTimeout)
		defer cancel()
		namespace, err := namespaces.namespace()
		if err != nil {
			return nil, noFiles
		}
		reader, err := connection.connect(genericiooptions.NewTestIOStreamsDiscard())
		if err != nil {
			return nil, noFiles
		}
		var found []string
		for _, list := range lists {
			names, err := list(ctx, reader, namespace)
			if err != nil {
				continue // the other names are useful
			}
			found = append(found, names...)
		}
		return slices.DeleteFunc(found, func(name string) bool {
			return !strings.HasPrefix(name, toComplete) || slices.Contains(args, name)
		}), noFiles
	}
}

// completeValues completes the values of a flag.
func completeValues(command *cobra.Command, flag string, values ...string) {
	// The flag exists, so this cannot fail.
	_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// migrationNames lists the PluginMigrations.
func migrationNames(ctx context.Context, reader client.Reader, namespace string) ([]string, error) {
	var list v1alpha1.PluginMigrationList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, nil
}

// workloadNames lists the workloads: "deployment/kong".
func workloadNames(ctx context.Context, reader client.Reader, namespace string) ([]string, error) {
	var names []string
	for object, err := range workloads.All(ctx, reader, namespace, workloads.Kinds()) {
		if err != nil {
			return nil, err
		}
		names = append(names, strings.ToLower(workloads.KindOf(object))+"/"+object.GetName())
	}
	return names, nil
}

// podNames lists the pods: "pod/kong-1".
func podNames(ctx context.Context, reader client.Reader, namespace string) ([]string, error) {
	var names []string
	for pod, err := range clusterstate.PodMetadata(ctx, reader, namespace) {
		if err != nil {
			return nil, err
		}
		names = append(names, "pod/"+pod.Name)
	}
	return names, nil
}

// gatedPodNames lists the pods that wait for kongdao.
func gatedPodNames(ctx context.Context, reader client.Reader, namespace string) ([]string, error) {
	pending := client.MatchingFields{"status.phase": string(corev1.PodPending)}
	var names []string
	for pod, err := range clusterstate.PodsIn(ctx, reader, namespace, pending) {
		if err != nil {
			return nil, err
		}
		if len(pod.Spec.SchedulingGates) > 0 {
			names = append(names, pod.Name)
		}
	}
	return names, nil
}
