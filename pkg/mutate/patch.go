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

// appendAll appends the operations that add values to the end of the list at a path. The length is that of the existing
// list. An empty list may be missing, so it is created.
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

// setMember appends the operation that sets a member of the string map at a path. It creates the map if it does not
// exist. The members are those of the existing map whose names begin with kongdao.io/.
func setMember(
	patch []Operation, path string, exists bool, members map[string]string, name, value string,
) []Operation {
	if old, ok := members[name]; ok && old == value {
		return patch
	}
	if !exists {
		return append(patch, add(path, map[string]string{name: value}))
	}
	return append(patch, add(path+"/"+escapePointer(name), value))
}

// escapePointer encodes a name as an element of a JSON pointer (RFC 6901).
func escapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// element returns the JSON pointer of an element of a list.
func element(path string, index int) string { return path + "/" + strconv.Itoa(index) }
