package mutate

import (
	"strconv"
	"strings"
)

// Operation is one operation of a JSON patch (RFC 6902).
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

func add(path string, value any) Operation {
	return Operation{Op: "add", Path: path, Value: value}
}

func replace(path string, value any) Operation {
	return Operation{Op: "replace", Path: path, Value: value}
}

func remove(path string) Operation {
	return Operation{Op: "remove", Path: path}
}

// appendAll adds values to the end of the list at path, which has length
// entries now. A list without entries may not be there at all: it is made.
func appendAll[T any](patch []Operation, path string, length int, values []T) []Operation {
	switch {
	case len(values) == 0:
		return patch
	case length == 0:
		return append(patch, add(path, values))
	}
	path += "/-"
	for i := range values {
		patch = append(patch, add(path, &values[i]))
	}
	return patch
}

// setMember gives the string map at path a member, and makes the map where
// there is none. members are those of ours that it has.
func setMember(patch []Operation, path string, there bool, members map[string]string, name, value string) []Operation {
	if old, ok := members[name]; ok && old == value {
		return patch
	}
	if !there {
		return append(patch, add(path, map[string]string{name: value}))
	}
	return append(patch, add(path+"/"+EscapePointer(name), value))
}

// EscapePointer writes a name as an element of a JSON pointer (RFC 6901).
func EscapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// index is a list's entry as an element of a JSON pointer.
func index(path string, i int) string { return path + "/" + strconv.Itoa(i) }
