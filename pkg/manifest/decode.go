package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	kjson "sigs.k8s.io/json"

	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/yamledit"
)

// decode converts an object to a typed one, as the API server does. If strict is true, unknown and duplicate fields
// are errors.
func (o *kubeObject) decode(into any, strict bool) error {
	encoded, err := yamledit.AppendJSON(nil, o.node)
	if err != nil {
		return err
	}
	strictErrors, err := kjson.UnmarshalStrict(encoded, into)
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("field %q cannot have a value of type %s", wrongType.Field, wrongType.Value)
	}
	if err == nil && strict && len(strictErrors) > 0 {
		return fmt.Errorf("%w; correct the field or remove it", strictErrors[0])
	}
	return err
}

// decodePod reads the pod or pod template at a pointer as the webhook does. A missing template is an empty pod.
func (o *kubeObject) decodePod(pointer string) (mutate.Pod, error) {
	template := o.at(pointer)
	if template == nil {
		return mutate.Pod{}, nil
	}
	encoded, err := yamledit.AppendJSON(nil, template)
	if err != nil {
		return mutate.Pod{}, err
	}
	pod, err := mutate.DecodePod(encoded)
	return pod, withQuoteHint(err)
}

// withQuoteHint adds to an error about a value that YAML reads as a boolean or a number what to do about it.
func withQuoteHint(err error) error {
	for _, found := range []string{"true", "false", "number"} {
		if err != nil && strings.HasSuffix(err.Error(), "found "+found+" instead of a string") {
			return fmt.Errorf("%w; put the value in quotes", err)
		}
	}
	return err
}
