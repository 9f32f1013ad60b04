package process

import (
	"net"
	"os"
	"slices"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Options are the settings that all processes have. Each has a flag.
type Options struct {
	// Kubeconfig names the cluster. If it is empty, the process uses the cluster that it runs in.
	Kubeconfig string
	// Namespace is kongdao's own namespace.
	Namespace string
	// MetricsAddress, HealthAddress and ProfilingAddress have the form host:port. "0" disables the endpoint.
	MetricsAddress, HealthAddress, ProfilingAddress string
	// LogLevel is "debug", "info" or "error".
	LogLevel string

	// WatchNamespaces are the namespaces to work in. If it is empty, the process works in all namespaces.
	WatchNamespaces []string
	// Migrations enables migrations, Policies enables PluginPolicies, and Rollouts enables automatic rollouts.
	Migrations, Policies, Rollouts bool
	// WebhookConfiguration is the name of the installation's MutatingWebhookConfiguration. Its
	// ValidatingWebhookConfiguration has the same name.
	WebhookConfiguration string
}

// DefaultOptions returns the options of a process that runs in a cluster.
func DefaultOptions() Options {
	return Options{
		Namespace:            os.Getenv("POD_NAMESPACE"),
		MetricsAddress:       ":8080",
		HealthAddress:        ":8081",
		ProfilingAddress:     "0",
		LogLevel:             "info",
		WebhookConfiguration: "kongdao",
	}
}

// AddFlags adds a flag for every option except WebhookConfiguration. What a process does with that differs.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig,
		"kubeconfig `file` of the cluster; if empty, the cluster that the process runs in")
	flags.StringVar(&o.Namespace, "namespace", o.Namespace,
		"namespace of kongdao; by default the value of the environment variable POD_NAMESPACE")
	flags.StringVar(&o.MetricsAddress, "metrics-address", o.MetricsAddress,
		"`host:port` for Prometheus metrics; 0 disables them")
	flags.StringVar(&o.HealthAddress, "health-address", o.HealthAddress,
		"`host:port` for /healthz and /readyz; 0 disables them")
	flags.StringVar(&o.ProfilingAddress, "profiling-address", o.ProfilingAddress,
		"`host:port` for Go profiles; 0 disables them")
	flags.StringVar(&o.LogLevel, "log-level", o.LogLevel, "log level: debug, info or error")
	flags.StringSliceVar(&o.WatchNamespaces, "watch-namespaces", o.WatchNamespaces,
		"namespaces to work in; if empty, all")
	flags.BoolVar(&o.Rollouts, "rollouts", o.Rollouts,
		"move workloads to new releases if the annotation kongdao.io/rollout or a policy asks for it")
}

// Validate returns the mistakes in the options.
func (o *Options) Validate() Problems {
	var found Problems
	if o.Kubeconfig != "" {
		if _, err := os.Stat(o.Kubeconfig); err != nil {
			found.Add("--kubeconfig: %w", err)
		}
	}
	for flag, address := range map[string]string{
		"--metrics-address": o.MetricsAddress, "--health-address": o.HealthAddress, "--profiling-address": o.ProfilingAddress,
	} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "0" {
			found.Add("%s %q: must be host:port, or 0 to disable it", flag, address)
		}
	}
	for _, namespace := range o.WatchNamespaces {
		found.AddInvalid("--watch-namespaces", namespace, "namespace", validation.IsDNS1123Label(namespace))
	}
	if !slices.Contains([]string{"debug", "info", "error"}, o.LogLevel) {
		found.Add("--log-level %q: must be debug, info or error", o.LogLevel)
	}
	if o.Policies && len(o.WatchNamespaces) > 0 {
		found.Add("--policies: cannot be used with --watch-namespaces, because policies apply to the whole cluster; " +
			"remove one of the flags")
	}
	return found
}
