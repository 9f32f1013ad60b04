// Command kubectl-kongdao is the kubectl plugin: on the PATH under this name,
// kubectl calls it for "kubectl kongdao". Its commands unpack arguments and
// write results; what they do is in the packages that the webhook uses too.
package main

import (
	"fmt"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// version is set by the linker.
var version = "devel"

func main() {
	os.Exit(run(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args[1:]))
}

// run is the process without its surroundings: it yields the exit code.
func run(streams genericiooptions.IOStreams, args []string) int {
	command := newCommand(streams)
	command.SetArgs(args)
	if err := command.Execute(); err != nil {
		fmt.Fprint(streams.ErrOut, errorText(err))
		return 1
	}
	return 0
}
