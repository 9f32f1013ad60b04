// Command controller is the process of kongdao's controllers: migrations, policies and libraries. All replicas follow
// the cluster, and one of them leads. It serves only metrics and probes. It runs in a cluster, or outside of a cluster
// with --kubeconfig.
package main

import (
	"context"

	"kongdao.io/kongdao/pkg/process"
)

// version is set at build time.
var version = "dev"

func main() {
	options := DefaultOptions()
	process.Program{
		Name: "controller", Version: version,
		AddFlags: options.AddFlags,
		Validate: options.Validate,
		Serve:    func(ctx context.Context) error { return serve(ctx, options) },
	}.Main()
}
