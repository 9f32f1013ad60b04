// Package good has nothing to report. Kong loads a plugin through the package path (fact K1).
package good

// Good returns "good". See pkg.Bad, which is the opposite. The file is in go.mod. It is short.
func Good() string { return "nobody" }
