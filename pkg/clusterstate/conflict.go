package clusterstate

import apierrors "k8s.io/apimachinery/pkg/api/errors"

// IsConflict reports whether all errors that are joined in err are conflicts with another writer.
func IsConflict(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return apierrors.IsConflict(err)
	}
	for _, one := range joined.Unwrap() {
		if !IsConflict(one) {
			return false
		}
	}
	return true
}
