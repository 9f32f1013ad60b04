package installation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/wait"
)

const migrationsFile = "rbac-migrations.yaml"

// StartMigrating is Start with kongdao's CRDs and of a webhook that runs
// migrations: it has the rights of rbac-migrations.yaml too, with its Lease in a
// namespace that is there.
func StartMigrating(ctx context.Context, plane *controlplane.ControlPlane, program, dir, namespace string, flags ...string) (*Webhook, error) {
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	if err := InstallCRDs(ctx, plane); err != nil {
		return nil, err
	}
	kubeconfig, err := grant(ctx, plane, migrationsFile)
	if err != nil {
		return nil, err
	}
	if err := grantLease(ctx, admin, namespace); err != nil {
		return nil, err
	}
	return start(ctx, plane, program, dir, kubeconfig, append([]string{"--migrations", "--namespace", namespace}, flags...)...)
}

// grantLease gives the user in a namespace what rbac-migrations.yaml gives the
// webhook in its own.
func grantLease(ctx context.Context, admin client.Client, namespace string) error {
	role := &rbacv1.Role{}
	if err := read(migrationsFile, role); err != nil {
		return err
	}
	role.Namespace = namespace
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: User}},
	}
	for _, object := range []client.Object{role, binding} {
		if err := admin.Create(ctx, object); err != nil {
			return fmt.Errorf("grant %s its Lease: %w", User, err)
		}
	}
	return nil
}

// CRDs is crds.yaml, of which there is one.
func CRDs() (*unstructured.Unstructured, error) {
	text, err := os.ReadFile(filepath.Join(Root(), "deploy", "kustomize", "base", "crds.yaml"))
	if err != nil {
		return nil, err
	}
	definition := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &definition.Object); err != nil {
		return nil, fmt.Errorf("read deploy/kustomize/base/crds.yaml: %w", err)
	}
	return definition, nil
}

// InstallCRDs makes the API server know kongdao's kinds, and returns when it does.
func InstallCRDs(ctx context.Context, plane *controlplane.ControlPlane) error {
	definition, err := CRDs()
	if err != nil {
		return err
	}
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := admin.Create(ctx, definition); err != nil {
		return fmt.Errorf("install the CRDs: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := wait.Until(ctx, func(ctx context.Context) error { return UseCRDs(ctx, plane) }); err != nil {
		return fmt.Errorf("wait until the API server knows the CRDs: %w", err)
	}
	return nil
}

// UseCRDs is nil when a client that comes anew is told of kongdao's kinds, and
// can use them: the one comes some time after the other, as they go.
func UseCRDs(ctx context.Context, plane *controlplane.ControlPlane) error {
	definition, err := CRDs()
	if err != nil {
		return err
	}
	anew, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "listKind")
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(group + "/v1alpha1")
	list.SetKind(kind)
	return anew.List(ctx, list)
}
