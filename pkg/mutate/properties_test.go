package mutate_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// TestProperties proves with every case what the design promises for all pods.
func TestProperties(t *testing.T) {
	for _, c := range goldens.Cases(t, casesFolder) {
		t.Run(c.Name, func(t *testing.T) { checkProperties(t, c) })
	}
}

// checkProperties checks the decision about a case. It returns the decision, and the JSON of the injected pod, which is
// nil if the pod is denied.
func checkProperties(t *testing.T, c goldens.Case) (decision.Decision, []byte) {
	t.Helper()
	admitted, injected := inject(t, c)
	checkDeterministic(t, c, admitted)
	if injected == nil {
		return admitted, nil
	}
	checkPaths(t, admitted.Patch)
	checkOtherFields(t, c.Pod, injected)
	checkVolumes(t, decode(t, injected))
	again := c
	again.Pod = injected
	checkUnchanged(t, again.Admit(t))
	return admitted, injected
}

// checkDeterministic checks that the decision does not depend on the order of the sources, and is always the same.
func checkDeterministic(t *testing.T, c goldens.Case, want decision.Decision) {
	t.Helper()
	for i := range 20 {
		if n := len(c.Sources); n > 0 {
			first := i % n
			c.Sources = append(slices.Clone(c.Sources[first:]), c.Sources[:first]...)
			if i%2 == 1 {
				slices.Reverse(c.Sources)
			}
		}
		if diff := cmp.Diff(lines(t, want), lines(t, c.Admit(t))); diff != "" {
			t.Fatalf("the decision differs in round %d (-first +now):\n%s", i, diff)
		}
	}
}

// lines describes a decision.
func lines(t *testing.T, decision decision.Decision) []string {
	t.Helper()
	denials := decision.Denials
	return append([]string{marshal(t, decision.Patch), denials.Error(), string(denials.Reason())}, decision.Warnings...)
}

func marshal(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// patchPaths matches the paths that a patch may have.
var patchPaths = regexp.MustCompile(
	`^(/metadata/(labels|annotations)|/spec/volumes|/spec/(initContainers|containers)/[0-9]+/(env|volumeMounts))(/|$)`)

// checkPaths checks that a patch changes only certain fields, and removes only volumes and mounts.
func checkPaths(t *testing.T, patch []mutate.Operation) {
	t.Helper()
	for _, operation := range patch {
		path := operation.Path
		if !patchPaths.MatchString(path) {
			t.Errorf("the patch changes %s", path)
		}
		mayRemove := strings.HasPrefix(path, "/spec/volumes/") || strings.Contains(path, "/volumeMounts/")
		if operation.Op != "add" && operation.Op != "replace" && (operation.Op != "remove" || !mayRemove) {
			t.Errorf("the patch has operation %q at %s", operation.Op, path)
		}
	}
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkVolumes checks what the API server requires: unique names of volumes, unique paths of mounts, and a volume for
// each mount that kongdao manages.
func checkVolumes(t *testing.T, pod mutate.Pod) {
	t.Helper()
	volumes := map[string]bool{}
	for _, volume := range pod.Volumes {
		if volumes[volume.Name] || !dnsLabel.MatchString(volume.Name) {
			t.Errorf("volume %q is not unique, or its name is not a DNS label", volume.Name)
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
			if isManaged(mount.Name) && !volumes[mount.Name] {
				t.Errorf("container %q mounts volume %q, which the pod does not have", container.Name, mount.Name)
			}
		}
	}
}

func isManaged(volume string) bool { return strings.HasPrefix(volume, "kongdao-") }
