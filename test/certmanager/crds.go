package certmanager

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/wait"
)

const crdDir = "crds"

// InstallCRDs applies cert-manager's CRDs and waits until the API server serves them. The files are in the directory
// assets.
func InstallCRDs(ctx context.Context, admin client.Client, assets string) error {
	if err := checkAssets(assets); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(assets, crdDir, "*.yaml"))
	if err != nil {
		return err
	}
	var applied []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(bytes.TrimPrefix(text, []byte("---\n")), &crd.Object); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		desired := client.ApplyConfigurationFromUnstructured(crd)
		if err := admin.Apply(ctx, desired, client.FieldOwner(program), client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
		applied = append(applied, crd)
	}
	for _, crd := range applied {
		if err := waitUntilServed(ctx, admin, crd); err != nil {
			return fmt.Errorf("wait for the CRD %s: %w", crd.GetName(), err)
		}
	}
	return nil
}

// waitUntilServed waits until objects of a CRD can be listed. Its condition Established is True a little earlier.
func waitUntilServed(ctx context.Context, admin client.Client, crd *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	return wait.Until(ctx, func(ctx context.Context) error {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind + "List"})
		return admin.List(ctx, list, client.Limit(1))
	})
}
