package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestLeastRights proves that no right is wider than it must be.
func TestLeastRights(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			for _, rule := range role.Rules {
				checkRule(t, role.Name, rule)
				if slices.Contains(rule.Resources, "secrets") {
					t.Errorf("ClusterRole %s reaches the Secrets of all namespaces: %v", role.Name, rule)
				}
				if set == "namespaced" && !slices.Equal(rule.Resources, []string{"mutatingwebhookconfigurations"}) {
					t.Errorf("ClusterRole %s reaches beyond watchNamespaces: %v", role.Name, rule)
				}
			}
		}
		var namespaces []string
		for _, role := range findAll[rbacv1.Role](t, objects, "Role") {
			namespaces = append(namespaces, role.Namespace)
			for _, rule := range role.Rules {
				checkRule(t, role.Name, rule)
				if !slices.Contains(rule.Resources, "secrets") {
					continue
				}
				if role.Namespace != releaseNamespace {
					t.Errorf("Role %s reaches Secrets of %s", role.Name, role.Namespace)
				}
				if len(rule.ResourceNames) != 1 && !slices.Equal(rule.Verbs, []string{"create"}) {
					t.Errorf("Role %s reaches Secrets that are not kongdao's: %v", role.Name, rule)
				}
			}
		}
		slices.Sort(namespaces)
		want := []string{releaseNamespace, releaseNamespace} // the certificate, and the lease
		switch set {
		case "namespaced":
			want = []string{"kong", "kong", "kong-staging", "kong-staging", releaseNamespace, releaseNamespace}
		case "files", "bare":
			want = want[:1]
		}
		if diff := cmp.Diff(want, namespaces); diff != "" {
			t.Errorf("namespaces with Roles (-want +got)\n%s", diff)
		}
	})
}

func checkRule(t *testing.T, role string, rule rbacv1.PolicyRule) {
	t.Helper()
	if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames), "*") {
		t.Errorf("%s: a star grants what nobody thought of: %v", role, rule)
	}
	ownKind := slices.Equal(rule.Resources, []string{"pluginmigrations"})
	if slices.Contains(rule.Verbs, "delete") && !ownKind || slices.Contains(rule.Verbs, "deletecollection") {
		t.Errorf("%s may delete: %v", role, rule)
	}
}

// TestRightsToMigrate proves that kongdao may change nothing of a pod's that it
// did not make but its gate's list, by a patch, no Job at all, and that without
// migrations it has none of these rights.
func TestRightsToMigrate(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		granted := map[string][]string{}
		add := func(rules []rbacv1.PolicyRule) {
			for _, rule := range rules {
				for _, resource := range rule.Resources {
					granted[resource] = append(granted[resource], rule.Verbs...)
				}
			}
		}
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			add(role.Rules)
		}
		for _, role := range findAll[rbacv1.Role](t, objects, "Role") {
			if role.Namespace != "kong-staging" {
				add(role.Rules)
			}
		}
		want := map[string][]string{
			"pods": {"get", "list", "watch", "patch"}, "jobs": {"list", "watch", "create"},
			"pluginmigrations": {"list", "watch", "create", "delete"}, "pluginmigrations/status": {"update"},
		}
		if set == "bare" {
			want = nil
		}
		for _, resource := range []string{"pods", "jobs", "pluginmigrations", "pluginmigrations/status"} {
			if diff := cmp.Diff(want[resource], granted[resource]); diff != "" {
				t.Errorf("%s (-want +got)\n%s", resource, diff)
			}
		}
	})
}

// TestEveryRightHasItsReason proves that whoever reads the rendered manifests
// reads of each rule what it is for.
func TestEveryRightHasItsReason(t *testing.T) {
	for set, flags := range valueSets(t) {
		text, err := runHelm(t, append([]string{"template", release, chartDir}, flags...)...)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "  - apiGroups:") && !strings.HasPrefix(lines[i-1], "  # ") {
				t.Errorf("%s: line %d has no comment above it: %s", set, i+1, line)
			}
		}
	}
}

// TestBindings proves that every role is bound, and to the account of the pods.
func TestBindings(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		account := rbacv1.Subject{
			Kind: rbacv1.ServiceAccountKind, Namespace: releaseNamespace,
			Name: find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.ServiceAccountName,
		}
		bound := map[string]int{}
		check := func(namespace, name string, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
			bound[role.Kind+" "+namespace+" "+role.Name]++
			if !slices.Equal(subjects, []rbacv1.Subject{account}) {
				t.Errorf("%s binds %v, want %v", name, subjects, account)
			}
		}
		for _, binding := range findAll[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding") {
			check("", binding.Name, binding.RoleRef, binding.Subjects)
		}
		for _, binding := range findAll[rbacv1.RoleBinding](t, objects, "RoleBinding") {
			check(binding.Namespace, binding.Name, binding.RoleRef, binding.Subjects)
		}
		roles := map[string]int{}
		for _, object := range objects {
			if kind := object.GetKind(); kind == "Role" || kind == "ClusterRole" {
				roles[kind+" "+object.GetNamespace()+" "+object.GetName()]++
			}
		}
		if diff := cmp.Diff(roles, bound); diff != "" {
			t.Errorf("roles and what is bound of them (-roles +bound)\n%s", diff)
		}
	})
}
