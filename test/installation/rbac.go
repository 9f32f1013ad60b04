package installation

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/test/controlplane"
)

// WebhookUser and ControllerUser are the user names of the two processes.
const (
	WebhookUser    = "kongdao-webhook"
	ControllerUser = "kongdao-controller"
)

// WebhookRules returns the rules of the ClusterRoles of the webhook for these features: "migrations" and "policies".
// These are all its permissions except those for its certificate.
func WebhookRules(features ...string) ([]rbacv1.PolicyRule, error) {
	return readRules("webhook", features)
}

// ControllerRules returns the rules of the ClusterRoles of the controller for these features.
func ControllerRules(features ...string) ([]rbacv1.PolicyRule, error) {
	return readRules("controller", features)
}

// readRules returns the rules of the ClusterRoles in a folder of deploy/kustomize/base.
func readRules(folder string, features []string) ([]rbacv1.PolicyRule, error) {
	var rules []rbacv1.PolicyRule
	for _, name := range append([]string{"plugins"}, features...) {
		role := &rbacv1.ClusterRole{}
		if err := readManifest(folder+"/rbac-"+name+".yaml", role); err != nil {
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

// createUsers creates WebhookUser with the permissions for the features. If there are features, it also creates
// ControllerUser. The namespace contains the Lease.
func createUsers(
	ctx context.Context, plane *controlplane.ControlPlane, namespace string, features []string,
) (webhookKubeconfig, controllerKubeconfig string, err error) {
	rules, err := WebhookRules(features...)
	if err != nil {
		return "", "", err
	}
	if webhookKubeconfig, err = CreateUser(ctx, plane, WebhookUser, rules); err != nil || len(features) == 0 {
		return webhookKubeconfig, "", err
	}
	if rules, err = ControllerRules(features...); err != nil {
		return "", "", err
	}
	if controllerKubeconfig, err = CreateUser(ctx, plane, ControllerUser, rules); err != nil {
		return "", "", err
	}
	return webhookKubeconfig, controllerKubeconfig, grantLease(ctx, plane, namespace)
}

// grantLease gives ControllerUser the Role for leader election in a namespace.
func grantLease(ctx context.Context, plane *controlplane.ControlPlane, namespace string) error {
	admin, err := newAdmin(plane)
	if err != nil {
		return err
	}
	role := &rbacv1.Role{}
	if err := readManifest("controller/rbac-leader.yaml", role); err != nil {
		return err
	}
	role.Namespace = namespace
	return createAll(ctx, admin, "grant the permission for leader election", role, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{userSubject(ControllerUser)},
	})
}

func userSubject(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}
