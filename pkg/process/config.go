package process

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// RESTConfig returns the configuration of clients. If kubeconfig is empty, it is that of the cluster that the process
// runs in. The user agent is the name and the version of the program.
func RESTConfig(kubeconfig, userAgent string) (*rest.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w; outside a cluster, set --kubeconfig", err)
	}
	// No client-side limit: the API server protects itself. client-go's default limit delayed some of 1,028 pods in a
	// burst by 25 s (fact W5).
	config.QPS = -1
	config.UserAgent = userAgent
	return config, nil
}
