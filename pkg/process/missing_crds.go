package process

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// ExplainMissingCRDs returns an error that says what to do if the cluster lacks kongdao's CRDs. It returns any other
// error as it is. While the API server removes the CRDs, it may report only that their API group does not exist.
func ExplainMissingCRDs(err error) error {
	groupVersion, missing := v1alpha1.GroupVersion(), ""
	if noKind, ok := errors.AsType[*meta.NoKindMatchError](err); ok && noKind.GroupKind.Group == groupVersion.Group {
		missing = "kind " + noKind.GroupKind.Kind
	} else if noResource, ok := errors.AsType[*meta.NoResourceMatchError](err); ok &&
		noResource.PartialResource.Group == groupVersion.Group {
		missing = "kinds"
	}
	if missing == "" {
		return err
	}
	return fmt.Errorf("the cluster has no %s of %s: install kongdao's CRDs, or remove the flags --migrations and "+
		"--policies",
		missing, groupVersion)
}
