package process

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// TestExplainMissingCRDs covers all errors that an API server without the CRDs can return.
func TestExplainMissingCRDs(t *testing.T) {
	groupVersion := schema.GroupVersion{Group: "kongdao.io", Version: "v1alpha1"}
	const remedy = " of kongdao.io/v1alpha1: install kongdao's CRDs, or remove the flags --migrations and --policies"
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"one kind": {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "kongdao.io", Kind: "PluginPolicy"}},
			"the cluster has no kind PluginPolicy" + remedy},
		"the group": {new(apiutil.ErrResourceDiscoveryFailed{groupVersion: apierrors.NewNotFound(schema.GroupResource{},
			"")}), "the cluster has no kinds" + remedy},
		"a foreign kind": {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "apps", Kind: "Deployment"}},
			`no matches for kind "Deployment" in group "apps"`},
		"another error": {errors.New("denied"), "denied"},
	} {
		if got := ExplainMissingCRDs(fmt.Errorf("watch: %w", test.err)).Error(); got != test.want &&
			got != "watch: "+test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
