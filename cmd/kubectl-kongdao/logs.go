package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/upgrade"
)

const logsLong = `Print what Kong says in the Job of a migration, and follow it until the Job ends.

If no Job exists, logs prints the last output that the PluginMigration has.`

const logsExample = `  # Follow the Job of a migration
  kubectl kongdao logs dao-test-3f0c81aa27 -n kong`

// logReader prints the log of a migration's Job.
type logReader struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	pods      corev1client.PodsGetter
	namespace string
	follow    bool
	timeout   time.Duration
}

func newLogsCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	l := &logReader{streams: streams}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "logs MIGRATION",
		Short:   "Print and follow the log of a migration's Job",
		Long:    logsLong,
		Example: logsExample,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one PluginMigration: \"kubectl get pluginmigrations\" lists them")
			}
			var err error
			if l.namespace, err = namespaces.namespace(); err != nil {
				return err
			}
			if l.client, err = connection.connect(streams); err != nil {
				return err
			}
			config, err := connection.config.ToRESTConfig()
			if err != nil {
				return err
			}
			if l.pods, err = corev1client.NewForConfig(config); err != nil {
				return err
			}
			return l.run(command.Context(), args[0])
		},
	}
	command.Flags().BoolVarP(&l.follow, "follow", "f", true, "Follow the log until the Job ends")
	command.Flags().DurationVar(&l.timeout, "timeout", 5*time.Minute, "How long to wait for the Job's pod to start")
	connection.add(command.Flags(), namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 1, migrationNames)
	return command
}

// run prints the log of the Job that runs, or that ran last.
func (l *logReader) run(ctx context.Context, argument string) error {
	migration, err := readMigration(ctx, l.client, l.namespace, argument)
	if err != nil {
		return err
	}
	pod, err := l.startedPod(ctx, migration.Status.Job)
	if err != nil {
		return err
	}
	if pod == "" {
		if migration.Status.LastOutput == "" {
			return fmt.Errorf("PluginMigration %q has no Job with a pod. %s", migration.Name,
				upgrade.ProgressOf(migration, true).Message)
		}
		fmt.Fprintln(l.streams.ErrOut, "The Job's pod is gone. This is the last output that the PluginMigration has:")
		fmt.Fprintln(l.streams.Out, migration.Status.LastOutput)
		return nil
	}
	options := &corev1.PodLogOptions{Container: migrate.JobContainer, Follow: l.follow}
	stream, err := l.pods.Pods(l.namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("read the log of pod %q: %w", pod, err)
	}
	defer func() { _ = stream.Close() }() // it was only read
	if _, err := io.Copy(l.streams.Out, stream); err != nil {
		return fmt.Errorf("read the log of pod %q: %w", pod, err)
	}
	return nil
}

// startedPod returns the newest pod of a Job whose container has started, or "" if the Job has no pod. It waits for a
// pod that has not started.
func (l *logReader) startedPod(ctx context.Context, job string) (string, error) {
	if job == "" {
		return "", nil
	}
	name, last := "", ""
	err := wait.PollUntilContextTimeout(ctx, pollInterval, l.timeout, true, func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		err := l.client.List(ctx, &pods, client.InNamespace(l.namespace), client.MatchingLabels{batchv1.JobNameLabel: job})
		if err != nil {
			return false, fmt.Errorf("list the pods of Job %q: %w", job, err)
		}
		var newest *corev1.Pod
		for i := range pods.Items {
			if pod := &pods.Items[i]; newest == nil || newest.CreationTimestamp.Before(&pod.CreationTimestamp) {
				newest = pod
			}
		}
		if newest == nil {
			return true, nil
		}
		if name = newest.Name; hasStarted(newest) {
			return true, nil
		}
		if last != name {
			last = name
			fmt.Fprintf(l.streams.ErrOut, "Pod %q starts\n", name)
		}
		return false, nil
	})
	if wait.Interrupted(err) {
		return "", fmt.Errorf("pod %q has not started after %v: run \"kubectl describe pod %s -n %s\"",
			name, l.timeout, name, l.namespace)
	}
	return name, err
}

// hasStarted reports whether the container with Kong has a log.
func hasStarted(pod *corev1.Pod) bool {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == migrate.JobContainer {
			return status.State.Running != nil || status.State.Terminated != nil
		}
	}
	return false
}
