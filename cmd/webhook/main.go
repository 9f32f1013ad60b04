// Command webhook is the process of kongdao's admission webhook. It also maintains the webhook's certificate. It runs
// in a cluster, or outside of a cluster with --kubeconfig.
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
		Name: "webhook", Version: version,
		AddFlags: options.AddFlags,
		Validate: options.Validate,
		Serve:    func(ctx context.Context) error { return serve(ctx, options) },
	}.Main()
}
