package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/policy"
)

// clusterFlags are the flags of kubectl for a connection, except those of namespaceFlags.
type clusterFlags struct {
	config *genericclioptions.ConfigFlags
}

// add adds the flags. The commands of this program have the flags of namespaceFlags already.
func (f *clusterFlags) add(flags *pflag.FlagSet, namespaces *namespaceFlags) {
	f.config = genericclioptions.NewConfigFlags(true)
	f.config.KubeConfig, f.config.Context, f.config.Namespace = nil, nil, nil
	f.config.AddFlags(flags)
	f.config.KubeConfig, f.config.Context = &namespaces.kubeconfig, &namespaces.overrides.CurrentContext
	f.config.Namespace = &namespaces.overrides.Context.Namespace
}

// connect returns a client. Warnings of the API server go to standard error.
func (f *clusterFlags) connect(streams genericiooptions.IOStreams) (client.Client, error) {
	config, err := f.config.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.WarningHandler = rest.NewWarningWriter(streams.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	scheme := runtime.NewScheme()
	err = errors.Join(corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme), batchv1.AddToScheme(scheme),
		networkingv1.AddToScheme(scheme), discoveryv1.AddToScheme(scheme), authorizationv1.AddToScheme(scheme),
		admissionregistrationv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// readCluster reads what the webhook knows about a namespace: policies, and the sources of plugins there and in the
// libraries of the policies. It warns if the user may not read the policies.
func readCluster(
	ctx context.Context, reader client.Reader, namespace string, plugins []string, warnings io.Writer,
) (decision.Cluster, error) {
	policies, err := readPolicies(ctx, reader, namespace)
	if apierrors.IsForbidden(err) {
		fmt.Fprintln(warnings, "warning: you may not list PluginPolicies, so this does not include their effects")
		err = nil
	}
	if err != nil {
		return decision.Cluster{}, err
	}
	index := &catalog.Index{}
	namespaces := map[string]bool{namespace: true}
	for _, selected := range policies {
		if selected.Library != "" {
			namespaces[selected.Library] = true
		}
		for _, plugin := range selected.Plugins {
			plugins = append(plugins, plugin.Name)
		}
	}
	for place := range namespaces {
		if err := clusterstate.ReadSources(ctx, reader, index, place, plugins); err != nil {
			return decision.Cluster{}, err
		}
	}
	return decision.Cluster{Policies: policies, Releases: index.Releases}, nil
}

// listPolicies reads all policies. A cluster may have no PluginPolicies at all.
func listPolicies(ctx context.Context, reader client.Reader) ([]v1alpha1.PluginPolicy, error) {
	var list v1alpha1.PluginPolicyList
	err := reader.List(ctx, &list)
	if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("list PluginPolicies: %w", err)
	}
	return list.Items, nil
}

// readPolicies reads the policies that select a namespace.
func readPolicies(ctx context.Context, reader client.Reader, namespace string) ([]*policy.Policy, error) {
	list, err := listPolicies(ctx, reader)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var object corev1.Namespace
	if err := reader.Get(ctx, client.ObjectKey{Name: namespace}, &object); err != nil {
		return nil, fmt.Errorf("read namespace %q: %w", namespace, err)
	}
	var index policy.Index
	for i := range list {
		compiled, err := policy.Compile(&list[i])
		if err != nil {
			return nil, fmt.Errorf("policy %q: %w", list[i].Name, err)
		}
		index.Put(compiled)
	}
	return index.Of(namespace, object.Labels), nil
}
