package policycontroller

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// namespaces are those that a cache, or an API server, has.
type namespaces map[string]map[string]string

func (n namespaces) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	labels, there := n[key.Name]
	if !there {
		return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
	}
	object.SetLabels(labels)
	return nil
}

func (n namespaces) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	if n == nil {
		return apierrors.NewTimeoutError("nobody answers", 1)
	}
	asked := (&client.ListOptions{}).ApplyOptions(options)
	name, exact := asked.FieldSelector.RequiresExactMatch(metav1.ObjectNameField)
	if labels, there := n[name]; exact && there {
		list.(*corev1.NamespaceList).Items = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}}
	}
	return nil
}

// TestNamespaceLabels proves that a namespace which is younger than the cache is
// looked for where it is, that the API server is not asked about others, and that
// one whose labels nobody knows is an error and not one without.
func TestNamespaceLabels(t *testing.T) {
	young, old := map[string]string{"team": "young"}, map[string]string{"team": "old"}
	for name, test := range map[string]struct {
		cached, live namespaces
		want         map[string]string
		err          string
	}{
		"cached":     {namespaces{"kong": old}, nil, old, ""},
		"young":      {namespaces{"other": old}, namespaces{"kong": young, "other": old}, young, ""},
		"gone":       {namespaces{}, namespaces{"other": old}, nil, `read the labels of namespace "kong": namespaces "kong" not found`},
		"unreadable": {namespaces{}, nil, nil, `read the labels of namespace "kong": Timeout: nobody answers`},
	} {
		got, err := NamespaceLabels(test.cached, test.live)(t.Context(), "kong")
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", name, err, test.err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
