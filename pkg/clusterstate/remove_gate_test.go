package clusterstate

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// fakePatch answers a patch and keeps it.
type fakePatch struct {
	client.Client
	answer error
	patch  string
}

func (f *fakePatch) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	text, err := patch.Data(object)
	f.patch = string(text)
	return errors.Join(err, f.answer)
}

// TestRemoveGateOfTheRightPod proves that the patch applies to one pod only. RemoveGate ignores a pod that is
// gone, also if another pod has its name. test/controllers proves that these are the answers of an API server.
func TestRemoveGateOfTheRightPod(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	invalid := func(path *field.Path) error {
		return apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Pod").GroupKind(), "kong-0",
			field.ErrorList{field.Invalid(path, "1", "field is immutable")})
	}
	pod := GatedPod{NamespacedName: types.NamespacedName{Namespace: "kong", Name: "kong-0"}, UID: "1"}
	for name, test := range map[string]struct {
		answer error
		fails  bool
	}{
		"done":                      {nil, false},
		"gone":                      {apierrors.NewNotFound(pods, "kong-0"), false},
		"another pod has the name":  {invalid(field.NewPath("metadata", "uid")), false},
		"another pod, precondition": {apierrors.NewConflict(pods, "kong-0", errors.New("UID in precondition: 1")), false},
		"another invalid field":     {invalid(field.NewPath("spec", "schedulingGates")), true},
		"conflict":                  {apierrors.NewConflict(pods, "kong-0", errors.New("please apply your changes")), true},
		"no answer":                 {errors.New("EOF"), true},
	} {
		server := &fakePatch{answer: test.answer}
		err := RemoveGate(t.Context(), server, pod, annotations.MigrationsGate)
		if (err != nil) != test.fails {
			t.Errorf("%s: the error is %v", name, err)
		}
		const want = `{"metadata":{"uid":"1"},` +
			`"spec":{"schedulingGates":[{"$patch":"delete","name":"kongdao.io/migrations"}]}}`
		if server.patch != want {
			t.Errorf("%s: the patch is %s, want %s", name, server.patch, want)
		}
	}
}
