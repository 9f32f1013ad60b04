package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is an error or a warning about a line of the input.
type Problem struct {
	File string
	Line int
	Text string
}

// String returns the problem in the form of a compiler message: "kong.yaml:14: text".
func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text) }

// Problems are in the order of the input.
type Problems []Problem

// Error returns one line for each problem. It leaves out repetitions.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(slices.Compact(lines), "\n")
}
