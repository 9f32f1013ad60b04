package main

import (
	"cmp"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// namespaceFlags are those flags of kubectl that choose a namespace. All commands have them. Commands that connect to a
// cluster have those of clusterFlags too.
type namespaceFlags struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
}

func (f *namespaceFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.kubeconfig, "kubeconfig", "",
		"Path of the kubeconfig `file`. Commands that do not connect to a cluster use only the namespace of its context")
	flags.StringVar(&f.overrides.CurrentContext, "context", "", "Name of the kubeconfig context to use")
	flags.StringVarP(&f.overrides.Context.Namespace, "namespace", "n", "",
		"Namespace of objects that have none in their manifest, and of packed ConfigMaps")
}

// explicit returns the namespace of -n, or "" without -n.
func (f *namespaceFlags) explicit() string { return f.overrides.Context.Namespace }

// namespace returns the namespace that kubectl would use: that of -n, that of the kubeconfig's context, or "default".
func (f *namespaceFlags) namespace() (string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	namespace, _, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &f.overrides).Namespace()
	if clientcmd.IsEmptyConfig(err) { // a kubeconfig is optional
		return cmp.Or(f.explicit(), metav1.NamespaceDefault), nil
	}
	return namespace, err
}
