package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/repair"
)

const ungateLong = `Start pods without waiting for kongdao.

kongdao holds pods with a scheduling gate until their database is migrated, or until the copies of their plugins exist.
ungate removes the gate. It does not migrate the database. The ClusterRole edit of Kubernetes in the namespace is
enough.`

const ungateExample = `  # Start a pod now
  kubectl kongdao ungate kong-kong-6d5f9c7b8-x2x7q -n kong`

func newUngateCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	a := &actor{streams: streams}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "ungate POD...",
		Short:   "Start pods without waiting for kongdao",
		Long:    ungateLong,
		Example: ungateExample,
		RunE: func(command *cobra.Command, names []string) error {
			var err error
			if a.namespace, err = namespaces.namespace(); err != nil {
				return err
			}
			if a.client, err = connection.connect(streams); err != nil {
				return err
			}
			return a.ungate(command.Context(), names)
		},
	}
	a.addFlags(command.Flags())
	connection.add(command.Flags(), namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 0, gatedPodNames)
	return command
}

func (a *actor) ungate(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return errors.New("no pod; name one: \"kubectl get pods\" shows SchedulingGated for pods that wait")
	}
	var errs []error
	for _, name := range names {
		var pod corev1.Pod
		key := client.ObjectKey{Namespace: a.namespace, Name: strings.TrimPrefix(name, "pod/")}
		err := a.client.Get(ctx, key, &pod)
		if err != nil {
			err = fmt.Errorf("read pod %q in namespace %q: %w", key.Name, a.namespace, err)
		} else {
			var action repair.Action
			if action, err = repair.Ungate(&pod); err == nil {
				err = a.act(ctx, &pod, fmt.Sprintf("pod %q", pod.Name), action)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
