package policycontroller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestSpecChanged proves which updates of a policy the controller handles immediately.
func TestSpecChanged(t *testing.T) {
	version := func(uid types.UID, generation int64) *v1alpha1.PluginPolicy {
		return &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: "stamp", UID: uid, Generation: generation}}
	}
	for name, test := range map[string]struct {
		after *v1alpha1.PluginPolicy
		want  bool
	}{
		"only the status changed":     {version("1", 1), false},
		"the spec changed":            {version("1", 2), true},
		"deleted and created again":   {version("2", 1), true},
		"recreated, and then changed": {version("2", 2), true},
	} {
		got := specChanged().Update(event.UpdateEvent{ObjectOld: version("1", 1), ObjectNew: test.after})
		if got != test.want {
			t.Errorf("%s: specChanged is %v, want %v", name, got, test.want)
		}
	}
}
