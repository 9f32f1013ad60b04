package main

import (
	"cmp"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// place is which namespace is meant, by kubectl's own flags. Nothing here talks
// to a cluster, so it has three of them: cli-runtime's ConfigFlags have them
// all, and bring kustomize and the printers with them, a third of the program.
type place struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
}

func (p *place) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&p.kubeconfig, "kubeconfig", "", "The kubeconfig `file` whose context names the namespace")
	flags.StringVar(&p.overrides.CurrentContext, "context", "", "The kubeconfig's context to use")
	flags.StringVarP(&p.overrides.Context.Namespace, "namespace", "n", "", "The namespace of what names none")
}

// given is the namespace that -n names, "" without it.
func (p *place) given() string { return p.overrides.Context.Namespace }

// namespace is what kubectl would take: of -n, of the kubeconfig's context, or
// "default".
func (p *place) namespace() (string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = p.kubeconfig
	namespace, _, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &p.overrides).Namespace()
	if clientcmd.IsEmptyConfig(err) { // no kubeconfig is no mistake here
		return cmp.Or(p.given(), metav1.NamespaceDefault), nil
	}
	return namespace, err
}
