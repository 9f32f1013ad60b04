package process

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
)

// NewScheme returns a scheme with the kinds that the functions add.
func NewScheme(addToScheme ...func(*runtime.Scheme) error) (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range addToScheme {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("set up the scheme: %w", err)
		}
	}
	return scheme, nil
}
