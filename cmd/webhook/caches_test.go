package main

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// TestInWords proves that whoever installs no CRDs hears what to do, in whatever
// way the API server does not know them, and that others' errors stay theirs.
func TestInWords(t *testing.T) {
	ours := schema.GroupVersion{Group: "kongdao.io", Version: "v1alpha1"}
	const out = " of kongdao.io/v1alpha1: install kongdao's CRDs, or start without --migrations and --policies"
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"one kind":       {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "kongdao.io", Kind: "PluginPolicy"}}, "the cluster knows no kind PluginPolicy" + out},
		"the group":      {new(apiutil.ErrResourceDiscoveryFailed{ours: apierrors.NewNotFound(schema.GroupResource{}, "")}), "the cluster knows no kinds" + out},
		"another's kind": {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "apps", Kind: "Deployment"}}, `no matches for kind "Deployment" in group "apps"`},
		"another error":  {errors.New("denied"), "denied"},
	} {
		if got := inWords(fmt.Errorf("watch: %w", test.err)).Error(); got != test.want && got != "watch: "+test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
