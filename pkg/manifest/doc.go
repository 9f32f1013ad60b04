// Package manifest owns files of Kubernetes manifests: reading YAML and JSON
// documents with the place where each stands, finding the pods, pod templates
// and sources in them, injecting what those ask for, and writing the files
// back with everything else as somebody wrote it.
//
//	bytes --Read--> Documents --Inject--> Result --Document.Render--> bytes
//
// The decision is that of package mutate, on the same view of a pod that the
// webhook sees. Its patch operations are applied to the YAML node tree; then
// only the changed lines are written anew (see splice), so that comments,
// the order of keys, quotes and odd spaces stay. A document that nothing asks
// for passes byte for byte.
//
// The package is pure: no files, no cluster.
package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is something to be said of a place in the input.
type Problem struct {
	File string
	Line int
	Text string
}

// String is the form of compilers: "kong.yaml:14: ...".
func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text) }

// Problems are in the order of the input.
type Problems []Problem

// Error has a line for each problem, and says no problem twice.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(slices.Compact(lines), "\n")
}
