package installation

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/wait"
)

// CRDs returns kongdao's CRDs.
func CRDs() ([]*unstructured.Unstructured, error) {
	const name = "crds.yaml"
	text, err := os.ReadFile(manifestPath(name))
	if err != nil {
		return nil, err
	}
	var crds []*unstructured.Unstructured
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &crd.Object); err != nil {
			return nil, fmt.Errorf("read manifest %s: %w", name, err)
		}
		crds = append(crds, crd)
	}
	return crds, nil
}

// InstallCRDs creates kongdao's CRDs and waits until clients can use them.
func InstallCRDs(ctx context.Context, plane *controlplane.ControlPlane) error {
	crds, err := CRDs()
	if err != nil {
		return err
	}
	admin, err := newAdmin(plane)
	if err != nil {
		return err
	}
	for _, crd := range crds {
		if err := admin.Create(ctx, crd); err != nil {
			return fmt.Errorf("create a CRD: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, crd := range crds {
		if err := wait.Until(ctx, func(ctx context.Context) error { return CheckCRD(ctx, plane, crd) }); err != nil {
			return fmt.Errorf("wait for the CRD %s: %w", crd.GetName(), err)
		}
	}
	return nil
}

// CheckCRD returns an error unless a new client can list objects of the CRD. This is the case some time after the API
// server has created the CRD. It is also the case for some time after the API server has deleted the CRD.
func CheckCRD(ctx context.Context, plane *controlplane.ControlPlane, crd *unstructured.Unstructured) error {
	newClient, err := newAdmin(plane) // because a client caches which kinds exist
	if err != nil {
		return err
	}
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "listKind")
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(group + "/v1alpha1")
	list.SetKind(kind)
	return newClient.List(ctx, list)
}
