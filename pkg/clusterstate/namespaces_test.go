package clusterstate

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

// fakeNamespaces is a cache or an API server with the labels of some namespaces. A nil one fails to list.
type fakeNamespaces map[string]map[string]string

func (n fakeNamespaces) Get(
	_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption,
) error {
	labels, ok := n[key.Name]
	if !ok {
		return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
	}
	object.SetLabels(labels)
	return nil
}

func (n fakeNamespaces) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	if n == nil {
		return apierrors.NewTimeoutError("no answer", 1)
	}
	requested := (&client.ListOptions{}).ApplyOptions(options)
	name, exact := requested.FieldSelector.RequiresExactMatch(metav1.ObjectNameField)
	if labels, ok := n[name]; exact && ok {
		list.(*corev1.NamespaceList).Items = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}}
	}
	return nil
}

// TestNamespaceLabels checks that only a namespace that the cache does not know is read from the API server, and that
// unknown labels are an error.
func TestNamespaceLabels(t *testing.T) {
	fresh, old := map[string]string{"team": "fresh"}, map[string]string{"team": "old"}
	for name, test := range map[string]struct {
		cached, live fakeNamespaces
		want         map[string]string
		err          string
	}{
		"cached": {fakeNamespaces{"kong": old}, nil, old, ""},
		"new":    {fakeNamespaces{"other": old}, fakeNamespaces{"kong": fresh, "other": old}, fresh, ""},
		"gone": {fakeNamespaces{}, fakeNamespaces{"other": old}, nil,
			`read the labels of namespace "kong": namespaces "kong" not found`},
		"unreadable": {fakeNamespaces{}, nil, nil, `read the labels of namespace "kong": Timeout: no answer`},
	} {
		got, err := (&Namespaces{Cached: test.cached, Live: test.live}).Labels(t.Context(), "kong")
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", name, err, test.err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
