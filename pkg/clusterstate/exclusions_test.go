package clusterstate

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/scope"
)

// oneNamespace is a reader of one namespace with the label team=a.
type oneNamespace struct {
	client.Reader
	err error
}

func (f oneNamespace) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if f.err == nil && key.Name != "kong" {
		return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
	}
	object.SetLabels(map[string]string{"team": "a"})
	return f.err
}

func (f oneNamespace) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return f.err
}

// TestExclusions proves which namespaces are excluded, and that an error does not include a namespace.
func TestExclusions(t *testing.T) {
	broken := errors.New("no connection")
	for name, test := range map[string]struct {
		selector, namespace string
		err                 error
		want                bool
	}{
		"no labels needed":  {"", "kong", broken, false},
		"system":            {"", "kube-system", broken, true},
		"own":               {"team", "kongdao-system", broken, true},
		"label matches":     {"team=a", "kong", nil, false},
		"label differs":     {"team=b", "kong", nil, true},
		"no such namespace": {"team=a", "other", nil, true},
		"labels unknown":    {"team=a", "kong", broken, false},
	} {
		s, err := scope.New("kongdao-system", test.selector)
		if err != nil {
			t.Fatal(err)
		}
		reader := oneNamespace{err: test.err}
		exclusions := Exclusions{Scope: s, Namespaces: &Namespaces{Cached: reader, Live: reader}}
		got, err := exclusions.Excludes(t.Context(), test.namespace)
		if got != test.want || (err != nil) != (name == "labels unknown") {
			t.Errorf("%s: excluded is %v with error %v, want %v", name, got, err, test.want)
		}
	}
}
