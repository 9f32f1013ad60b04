package installation

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
)

// WebhookUser is the user name of the webhook.
const WebhookUser = "kongdao-webhook"

// WebhookRules returns the rules of the ClusterRole in rbac-plugins.yaml, and of those in further files of
// deploy/kustomize/base. These are all permissions of the webhook except those for its certificate.
func WebhookRules(furtherFiles ...string) ([]rbacv1.PolicyRule, error) {
	var rules []rbacv1.PolicyRule
	for _, name := range append([]string{"rbac-plugins.yaml"}, furtherFiles...) {
		role := &rbacv1.ClusterRole{}
		if err := readManifest(name, role); err != nil {
			return nil, err
		}
		rules = append(rules, role.Rules...)
	}
	return rules, nil
}

// CreateUser creates a user with a ClusterRole of the same name, and returns the path of its kubeconfig.
func CreateUser(
	ctx context.Context, plane *controlplane.ControlPlane, name string, rules []rbacv1.PolicyRule,
) (kubeconfig string, err error) {
	admin, err := newAdmin(plane)
	if err != nil {
		return "", err
	}
	err = createAll(ctx, admin, "create the role of user "+name,
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{userSubject(name)},
		})
	if err != nil {
		return "", err
	}
	_, kubeconfig, err = plane.User(name)
	return kubeconfig, err
}

// createWebhookUser creates WebhookUser with the permissions of WebhookRules.
func createWebhookUser(
	ctx context.Context, plane *controlplane.ControlPlane, furtherFiles ...string,
) (kubeconfig string, err error) {
	rules, err := WebhookRules(furtherFiles...)
	if err != nil {
		return "", err
	}
	return CreateUser(ctx, plane, WebhookUser, rules)
}

// grantLease gives WebhookUser the Role of rbac-leader.yaml in a namespace. It allows leader election.
func grantLease(ctx context.Context, admin client.Client, namespace string) error {
	role := &rbacv1.Role{}
	if err := readManifest("rbac-leader.yaml", role); err != nil {
		return err
	}
	role.Namespace = namespace
	return createAll(ctx, admin, "grant the permission for leader election", role, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{userSubject(WebhookUser)},
	})
}

func userSubject(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}
