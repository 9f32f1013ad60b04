package mutate_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
)

// checkOtherFields checks that two pods differ only in what an injection may change.
func checkOtherFields(t *testing.T, before, after []byte) {
	t.Helper()
	if diff := cmp.Diff(withoutInjection(t, before), withoutInjection(t, after)); diff != "" {
		t.Errorf("another field changed (-before +after):\n%s", diff)
	}
}

// withoutInjection removes everything from a pod that an injection may change: variables, mounts, volumes, a label and
// an annotation. It also removes lists and maps that become empty.
func withoutInjection(t *testing.T, text []byte) map[string]any {
	t.Helper()
	pod := parse(t, text)
	metadata, _ := pod["metadata"].(map[string]any)
	spec, _ := pod["spec"].(map[string]any)
	records := map[string]string{"labels": annotations.Injected, "annotations": annotations.InjectionRecord}
	for member, name := range records {
		if members, ok := metadata[member].(map[string]any); ok {
			delete(members, name)
			metadata[member] = members
		}
		removeEmpty(metadata, member)
	}
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := spec[list].([]any)
		for _, container := range containers {
			if container, ok := container.(map[string]any); ok {
				removeNamed(container, "env", func(name string) bool {
					name = strings.TrimPrefix(name, "KONGDAO_")
					return name == "KONG_PLUGINS" || name == "KONG_LUA_PACKAGE_PATH"
				})
				removeNamed(container, "volumeMounts", isManaged)
			}
		}
	}
	removeNamed(spec, "volumes", isManaged)
	return pod
}

// removeNamed removes the entries of a list whose names match.
func removeNamed(object map[string]any, member string, matches func(name string) bool) {
	if list, ok := object[member].([]any); ok {
		object[member] = slices.DeleteFunc(list, func(entry any) bool {
			fields, _ := entry.(map[string]any)
			name, _ := fields["name"].(string)
			return matches(name)
		})
	}
	removeEmpty(object, member)
}

// removeEmpty removes a member that is an empty list or map, or null.
func removeEmpty(object map[string]any, member string) {
	switch value := object[member].(type) {
	case nil:
		delete(object, member)
	case []any:
		if len(value) == 0 {
			delete(object, member)
		}
	case map[string]any:
		if len(value) == 0 {
			delete(object, member)
		}
	}
}

// parse parses JSON and keeps its numbers as they are.
func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	return object
}
