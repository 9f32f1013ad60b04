package mutate_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// TestProperties proves of every case what the design promises of all pods.
func TestProperties(t *testing.T) {
	for _, c := range goldens.Cases(t, casesFolder) {
		t.Run(c.Name, func(t *testing.T) {
			decision, injected := decide(t, c)
			deterministic(t, c, decision)
			if injected == nil {
				return
			}
			onlyOurPaths(t, decision.Patch)
			restUntouched(t, c.Pod, injected)
			wellFormed(t, decode(t, injected))
			injectedAgain := c
			injectedAgain.Pod = injected
			again, _ := decide(t, injectedAgain)
			if len(again.Patch) > 0 || len(again.Denials) > 0 {
				t.Errorf("injecting the result again is not nothing: %s %v", marshal(t, again.Patch), again.Denials)
			}
		})
	}
}

// deterministic fails unless deciding again, and from the sources in another
// order, comes to the same.
func deterministic(t *testing.T, c goldens.Case, want decision.Decision) {
	t.Helper()
	for i := range 20 {
		if n := len(c.Sources); n > 0 {
			at := i % n
			c.Sources = append(slices.Clone(c.Sources[at:]), c.Sources[:at]...)
			if i%2 == 1 {
				slices.Reverse(c.Sources)
			}
		}
		got, _ := decide(t, c)
		if diff := cmp.Diff(printed(t, want), printed(t, got)); diff != "" {
			t.Fatalf("round %d decides otherwise (-first +now):\n%s", i, diff)
		}
	}
}

func printed(t *testing.T, decision decision.Decision) []string {
	t.Helper()
	return append([]string{marshal(t, decision.Patch), decision.Denials.Error(), string(decision.Denials.Reason())}, decision.Warnings...)
}

func marshal(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ourPaths are the only places of a pod that a patch may name.
var ourPaths = regexp.MustCompile(`^(/metadata/(labels|annotations)|/spec/volumes|/spec/(initContainers|containers)/[0-9]+/(env|volumeMounts))(/|$)`)

func onlyOurPaths(t *testing.T, patch []mutate.Operation) {
	t.Helper()
	for _, operation := range patch {
		if !ourPaths.MatchString(operation.Path) {
			t.Errorf("the patch names %s", operation.Path)
		}
		removable := strings.HasPrefix(operation.Path, "/spec/volumes/") || strings.Contains(operation.Path, "/volumeMounts/")
		if operation.Op != "add" && operation.Op != "replace" && (operation.Op != "remove" || !removable) {
			t.Errorf("the patch has operation %q at %s", operation.Op, operation.Path)
		}
	}
}

// restUntouched fails unless the two pods are the same but for what is ours.
func restUntouched(t *testing.T, before, after []byte) {
	t.Helper()
	if diff := cmp.Diff(withoutOurs(t, before), withoutOurs(t, after)); diff != "" {
		t.Errorf("what is not ours changed (-before +after):\n%s", diff)
	}
}

// withoutOurs is a pod's tree without the variables, mounts, volumes and marks
// that an injection may write, and without what is empty then.
func withoutOurs(t *testing.T, text []byte) map[string]any {
	t.Helper()
	pod := tree(t, text)
	metadata, _ := pod["metadata"].(map[string]any)
	spec, _ := pod["spec"].(map[string]any)
	for member, mark := range map[string]string{"labels": annotations.Injected, "annotations": annotations.InjectionRecord} {
		if members, ok := metadata[member].(map[string]any); ok {
			delete(members, mark)
			metadata[member] = members
		}
		dropEmpty(metadata, member)
	}
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := spec[list].([]any)
		for _, container := range containers {
			if container, ok := container.(map[string]any); ok {
				dropNamed(container, "env", func(name string) bool {
					name = strings.TrimPrefix(name, "KONGDAO_")
					return name == "KONG_PLUGINS" || name == "KONG_LUA_PACKAGE_PATH"
				})
				dropNamed(container, "volumeMounts", isOurVolume)
			}
		}
	}
	dropNamed(spec, "volumes", isOurVolume)
	return pod
}

func isOurVolume(name string) bool { return strings.HasPrefix(name, "kongdao-") }

func dropNamed(object map[string]any, member string, drop func(name string) bool) {
	if list, ok := object[member].([]any); ok {
		object[member] = slices.DeleteFunc(list, func(entry any) bool {
			fields, _ := entry.(map[string]any)
			name, _ := fields["name"].(string)
			return drop(name)
		})
	}
	dropEmpty(object, member)
}

func dropEmpty(object map[string]any, member string) {
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

// tree decodes JSON with its numbers as they are written.
func tree(t *testing.T, text []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	return object
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// wellFormed fails unless the API server would take the pod's volumes and
// mounts: names of volumes and paths of mounts are there once, and each mount
// of ours has its volume.
func wellFormed(t *testing.T, pod mutate.Pod) {
	t.Helper()
	volumes := map[string]bool{}
	for _, volume := range pod.Volumes {
		if volumes[volume.Name] || !dnsLabel.MatchString(volume.Name) {
			t.Errorf("volume %q is there twice, or no DNS label", volume.Name)
		}
		volumes[volume.Name] = true
	}
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		paths := map[string]bool{}
		for _, mount := range container.VolumeMounts {
			if paths[mount.MountPath] {
				t.Errorf("container %q: path %q is mounted twice", container.Name, mount.MountPath)
			}
			paths[mount.MountPath] = true
			if isOurVolume(mount.Name) && !volumes[mount.Name] {
				t.Errorf("container %q mounts %q, which the pod does not have", container.Name, mount.Name)
			}
		}
	}
}
