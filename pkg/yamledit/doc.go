// Package yamledit applies JSON patch operations to YAML and JSON text and rewrites only the lines that change.
// Comments, blank lines, quotes, indentation and the order of keys stay. An unchanged document keeps its exact bytes.
//
//	bytes --Read--> Documents --Apply(Operation)--> Documents --Render or Join--> bytes
//
// The steps are:
//
//   - Read splits a file at its "---" lines and parses each document into a tree of YAML nodes. Every node knows its
//     line in the file. Aliases and merge keys are replaced by copies, so that a patch changes only one place.
//   - Apply changes the tree. A node that it creates has no line. It also stores which nodes it replaced, and which
//     collections lost entries.
//   - Render compares the tree with the text. For each changed entry it makes an edit, which replaces the lines of the
//     entry or inserts lines (see splice.go). Then it parses the result. If the result differs from the tree, Render
//     encodes the whole document instead (see render.go).
//
// The package reads and writes no files. It knows nothing about kongdao or the kinds of Kubernetes.
package yamledit
