package installation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/wait"
)

// leaderFile has the Role by which replicas agree on who leads.
const leaderFile = "rbac-leader.yaml"

// StartWith is Start with kongdao's CRDs and of a webhook with features,
// "migrations" or "policies": it has the rights of their files too, with its
// Lease in a namespace that is there.
func StartWith(ctx context.Context, plane *controlplane.ControlPlane, program, dir, namespace string, features []string, flags ...string) (*Webhook, error) {
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	if err := InstallCRDs(ctx, plane); err != nil {
		return nil, err
	}
	var files []string
	for _, feature := range features {
		files = append(files, "rbac-"+feature+".yaml")
		flags = append(flags, "--"+feature)
	}
	kubeconfig, err := grant(ctx, plane, files...)
	if err != nil {
		return nil, err
	}
	if err := grantLease(ctx, admin, namespace); err != nil {
		return nil, err
	}
	if slices.Contains(features, "policies") {
		if err := installPolicies(ctx, admin); err != nil {
			return nil, err
		}
	}
	return start(ctx, plane, program, dir, kubeconfig, append([]string{"--namespace", namespace}, flags...)...)
}

// grantLease gives the user in a namespace what rbac-leader.yaml gives the
// webhook in its own.
func grantLease(ctx context.Context, admin client.Client, namespace string) error {
	role := &rbacv1.Role{}
	if err := read(leaderFile, role); err != nil {
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

// installPolicies makes what policies need beside rights: the configuration that
// gets a webhook while there are any, and the API server's own check of who makes
// copies.
func installPolicies(ctx context.Context, admin client.Client) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	check := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	err := errors.Join(read("mutatingwebhookconfiguration-policies.yaml", configuration),
		read("validatingadmissionpolicy.yaml", check), read("validatingadmissionpolicy.yaml", binding))
	if err != nil {
		return err
	}
	for i := range check.Spec.Variables {
		check.Spec.Variables[i].Expression = strings.ReplaceAll(check.Spec.Variables[i].Expression, "system:serviceaccount:kongdao-system:kongdao-webhook", User)
	}
	for _, object := range []client.Object{configuration, check, binding} {
		if err := admin.Create(ctx, object); err != nil {
			return fmt.Errorf("install what policies need: %w", err)
		}
	}
	return nil
}

// CRDs are those of crds.yaml.
func CRDs() ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(filepath.Join(Root(), "deploy", "kustomize", "base", "crds.yaml"))
	if err != nil {
		return nil, err
	}
	var definitions []*unstructured.Unstructured
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		definition := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &definition.Object); err != nil {
			return nil, fmt.Errorf("read deploy/kustomize/base/crds.yaml: %w", err)
		}
		definitions = append(definitions, definition)
	}
	return definitions, nil
}

// InstallCRDs makes the API server know kongdao's kinds, and returns when it does.
func InstallCRDs(ctx context.Context, plane *controlplane.ControlPlane) error {
	definitions, err := CRDs()
	if err != nil {
		return err
	}
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	for _, definition := range definitions {
		if err := admin.Create(ctx, definition); err != nil {
			return fmt.Errorf("install the CRDs: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, definition := range definitions {
		if err := wait.Until(ctx, func(ctx context.Context) error { return UseCRD(ctx, plane, definition) }); err != nil {
			return fmt.Errorf("wait until the API server knows the CRDs: %w", err)
		}
	}
	return nil
}

// UseCRD is nil when a client that comes anew is told of a CRD's kind, and can
// use it: the one comes some time after the other, as they go.
func UseCRD(ctx context.Context, plane *controlplane.ControlPlane, definition *unstructured.Unstructured) error {
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
