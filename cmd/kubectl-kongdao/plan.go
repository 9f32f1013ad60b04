package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/explain"
	"kongdao.io/kongdao/pkg/migrationplan"
	"kongdao.io/kongdao/pkg/mutate"
)

const planLong = `Show which migrations run for a pod or a workload: on which database, in which order, with which SQL.
plan also shows which migrations are executed, pending or edited, and what "kong migrations finish" waits for.

plan does not connect to the database. It reads what kongdao knows from its PluginMigrations, so migrations that ran
without kongdao count as new. Kong does not run them again.

The ClusterRole view of Kubernetes in the namespace is enough.`

const planExample = `  # Show what an upgrade of a plugin would run
  kubectl kongdao plan deployment/kong-kong -n kong

  # Show what runs for a manifest
  kubectl kongdao plan -f kong.yaml -n kong`

// planCommand shows which migrations run.
type planCommand struct {
	podReader
	output string
	// sources are the ConfigMaps that were read, by namespace and name.
	sources map[client.ObjectKey]*corev1.ConfigMap
}

func newPlanCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	p := &planCommand{podReader: podReader{streams: streams}}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "plan POD|WORKLOAD|-f FILE",
		Short:   "Show which migrations run for a workload, with their SQL",
		Long:    planLong,
		Example: planExample,
		RunE: func(command *cobra.Command, args []string) error {
			if p.output != "" && p.output != outputJSON && p.output != outputYAML {
				return fmt.Errorf("unknown output format %q; use -o json or -o yaml", p.output)
			}
			if err := p.validateInputs(args); err != nil {
				return err
			}
			var err error
			if p.namespace, err = namespaces.namespace(); err != nil {
				return err
			}
			if p.client, err = connection.connect(streams); err != nil {
				return err
			}
			return p.run(command.Context(), args)
		},
	}
	flags := command.Flags()
	p.addFlags(flags)
	flags.StringVarP(&p.output, "output", "o", "", "Output format: json or yaml. The default is text")
	completeValues(command, "output", outputJSON, outputYAML)
	connection.add(flags, namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 0, workloadNames, podNames)
	return command
}

func (p *planCommand) run(ctx context.Context, args []string) error {
	inputs, err := p.inputs(ctx, args)
	if err != nil {
		return err
	}
	plans, texts := []migrationplan.Plan{}, []string(nil)
	for i := range inputs {
		plan, err := p.plan(ctx, &inputs[i])
		if err != nil {
			return err
		}
		plans, texts = append(plans, plan), append(texts, plan.Text())
	}
	return printValues(p.streams.Out, p.output, plans, texts)
}

// plan makes the plan for a pod.
func (p *planCommand) plan(ctx context.Context, pod *explain.Input) (migrationplan.Plan, error) {
	if err := p.readState(ctx, pod); err != nil {
		return migrationplan.Plan{}, err
	}
	pod.Pod.View.HasNode, pod.Pod.View.Gates = false, nil // as for a new pod
	admitted, err := decision.Admit(pod.Pod, pod.Cluster)
	if err != nil {
		return migrationplan.Plan{}, err
	}
	pods, err := readStatusPods(ctx, p.client, pod.Pod.Namespace)
	if err != nil {
		return migrationplan.Plan{}, err
	}
	var records []mutate.InjectionRecord
	for i := range pods {
		records = append(records, pods[i].Record)
	}
	var readErr error
	plan := migrationplan.New(migrationplan.Input{
		Subject: pod.Subject, Pod: pod.Pod, Decision: &admitted, Migrations: pod.Migrations, Records: records,
		Content: func(release *catalog.Release, file catalog.File) ([]byte, bool) {
			content, err := p.content(ctx, pod.Pod.Namespace, release, file)
			if err != nil && readErr == nil {
				readErr = err
			}
			return content, err == nil
		},
	})
	return plan, readErr
}

// content reads a file of a release. It reads the files of a library there, and not from their copies.
func (p *planCommand) content(
	ctx context.Context, namespace string, release *catalog.Release, file catalog.File,
) ([]byte, error) {
	key, dataKey := client.ObjectKey{Namespace: namespace, Name: file.Source}, file.Key
	for _, copied := range release.Copies {
		for _, entry := range copied.Keys {
			if copied.Name == file.Source && entry.Name == file.Key { // the copy may not exist yet
				key, dataKey = client.ObjectKey{Namespace: release.Library, Name: entry.Source}, entry.Key
			}
		}
	}
	source := p.sources[key]
	if source == nil {
		source = &corev1.ConfigMap{}
		if err := p.client.Get(ctx, key, source); err != nil {
			return nil, fmt.Errorf("read ConfigMap %q: %w", key, err)
		}
		if p.sources == nil {
			p.sources = map[client.ObjectKey]*corev1.ConfigMap{}
		}
		p.sources[key] = source
	}
	if content, isBinary := source.BinaryData[dataKey]; isBinary {
		return content, nil
	}
	return []byte(source.Data[dataKey]), nil
}
