package clusterstate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// fakePatches answers the patches of pods by their name, and counts them.
type fakePatches struct {
	client.Client
	mutex   sync.Mutex
	answers map[string]error
	patches map[string]int
}

func (f *fakePatches) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.patches[object.GetName()]++
	return f.answers[object.GetName()]
}

// TestUngate proves that each pod is patched once while the cache follows. An error for one pod does not stop the
// others, and this pod is tried again.
func TestUngate(t *testing.T) {
	notFound := apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "pod-1")
	server := &fakePatches{
		answers: map[string]error{"pod-0": errors.New("denied"), "pod-1": notFound}, patches: map[string]int{},
	}
	var pods []GatedPod
	for i := range 20 {
		name := types.NamespacedName{Namespace: "kong", Name: fmt.Sprintf("pod-%d", i)}
		pods = append(pods, GatedPod{NamespacedName: name, UID: types.UID(fmt.Sprint(i))})
	}
	ungater, now := &Ungater{}, time.Unix(1000, 0)
	ungate := func(step string, at time.Time, pods []GatedPod, wantRemoved, wantPatches int) {
		t.Helper()
		clear(server.patches)
		removed, err := ungater.Ungate(t.Context(), server, annotations.LibraryGate, pods, at)
		patches := 0
		for _, count := range server.patches {
			patches += count
		}
		if removed != wantRemoved || patches != wantPatches {
			t.Errorf("%s: %d gates are removed with %d patches, want %d and %d",
				step, removed, patches, wantRemoved, wantPatches)
		}
		if err == nil || !strings.Contains(err.Error(), `pod "kong/pod-0": denied`) {
			t.Errorf("%s: the error is %v, want the one of pod-0", step, err)
		}
	}
	ungate("all", now, pods, 19, 20)
	ungate("the cache still shows the gates", now.Add(time.Second), pods, 0, 1)
	recreated := append([]GatedPod{}, pods...)
	recreated[2].UID = "new"
	ungate("another pod has the name", now.Add(2*time.Second), recreated, 1, 2)
	ungate("the patches had no effect", now.Add(ungateRetryDelay), pods, 19, 20)
	if _, err := ungater.Ungate(t.Context(), server, annotations.LibraryGate, nil, now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if len(ungater.ungated) > 0 {
		t.Errorf("the pods of an hour ago are remembered: %v", ungater.ungated)
	}
}
