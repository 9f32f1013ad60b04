package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kongdao.io/kongdao/pkg/policy"
)

// TestPermissionsAreNarrow proves that no role reaches more namespaces, objects or verbs than it needs.
func TestPermissionsAreNarrow(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			for _, rule := range role.Rules {
				checkRule(t, role.Name, rule)
				if slices.Contains(rule.Resources, "secrets") {
					t.Errorf("ClusterRole %s grants access to the Secrets of all namespaces: %v", role.Name, rule)
				}
				if set == "namespaced" && !slices.Equal(rule.Resources, []string{"mutatingwebhookconfigurations"}) {
					t.Errorf("ClusterRole %s grants access beyond watchNamespaces: %v", role.Name, rule)
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
					t.Errorf("Role %s grants access to Secrets of the namespace %s", role.Name, role.Namespace)
				}
				if len(rule.ResourceNames) != 1 && !slices.Equal(rule.Verbs, []string{"create"}) {
					t.Errorf("Role %s grants access to Secrets of others: %v", role.Name, rule)
				}
			}
		}
		slices.Sort(namespaces)
		want := []string{releaseNamespace, releaseNamespace} // One for the certificate, one for the lease.
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

// checkRule fails the test for a rule with a wildcard, for an unexpected permission to delete, and for access to the
// webhook configurations of others.
func checkRule(t *testing.T, role string, rule rbacv1.PolicyRule) {
	t.Helper()
	if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames), "*") {
		t.Errorf("%s has a wildcard: %v", role, rule)
	}
	migrations := slices.Equal(rule.Resources, []string{"pluginmigrations"})
	// The ValidatingAdmissionPolicy restricts this permission to copies.
	copies := strings.HasSuffix(role, "-policies") && slices.Equal(rule.Resources, []string{"configmaps"})
	mayDelete := slices.Contains(rule.Verbs, "delete")
	if mayDelete && !migrations && !copies || slices.Contains(rule.Verbs, "deletecollection") {
		t.Errorf("%s has an unexpected permission to delete: %v", role, rule)
	}
	if slices.Contains(rule.Resources, "mutatingwebhookconfigurations") && len(rule.ResourceNames) != 1 {
		t.Errorf("%s grants access to webhook configurations of others: %v", role, rule)
	}
}

// TestMigrationPermissions proves that kongdao can patch pods, but not update or delete them, and that it can create
// Jobs, but not change them. Without migrations and policies it has none of these permissions.
func TestMigrationPermissions(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		want := map[string][]string{
			"pods": {"get", "list", "patch", "watch"}, "jobs": {"create", "list", "watch"},
			"pluginmigrations": {"create", "delete", "list", "watch"}, "pluginmigrations/status": {"update"},
		}
		if set == "bare" {
			want = nil
		}
		got := grantedVerbs(t, objects)
		for _, resource := range []string{"pods", "jobs", "pluginmigrations", "pluginmigrations/status"} {
			if diff := cmp.Diff(want[resource], got[resource]); diff != "" {
				t.Errorf("verbs on %s (-want +got)\n%s", resource, diff)
			}
		}
	})
}

// grantedVerbs returns the sorted verbs that all roles together grant on each resource.
func grantedVerbs(t *testing.T, objects []*unstructured.Unstructured) map[string][]string {
	t.Helper()
	verbs := map[string][]string{}
	add := func(rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			for _, resource := range rule.Resources {
				verbs[resource] = slices.Compact(slices.Sorted(slices.Values(append(verbs[resource], rule.Verbs...))))
			}
		}
	}
	for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		add(role.Rules)
	}
	for _, role := range findAll[rbacv1.Role](t, objects, "Role") {
		add(role.Rules)
	}
	return verbs
}

// TestPolicyPermissions proves the exact permissions for policies. Without policies, kongdao does not have them.
func TestPolicyPermissions(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		main := findMainConfiguration(t, objects).Name
		var got []rbacv1.PolicyRule
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			if strings.HasSuffix(role.Name, "-policies") {
				got = append(got, role.Rules...)
			}
		}
		if set == "bare" || set == "namespaced" {
			all := grantedVerbs(t, objects)
			for _, resource := range []string{"pluginpolicies", "pluginpolicies/status", "namespaces"} {
				if len(got) > 0 || all[resource] != nil {
					t.Errorf("policies are disabled, but kongdao has the verbs %v on %s", all[resource], resource)
				}
			}
			return
		}
		// kongdao patches the caBundle, unless you provide the certificate.
		verbs := []string{"get", "update", "patch"}
		if set == "files" {
			verbs = verbs[:2]
		}
		webhooks := func(name string, verbs ...string) rbacv1.PolicyRule {
			return rbacv1.PolicyRule{
				APIGroups:     []string{"admissionregistration.k8s.io"},
				Resources:     []string{"mutatingwebhookconfigurations"},
				ResourceNames: []string{name}, Verbs: verbs,
			}
		}
		want := []rbacv1.PolicyRule{
			// Every replica applies the policies.
			{APIGroups: []string{"kongdao.io"}, Resources: []string{"pluginpolicies"}, Verbs: []string{"list", "watch"}},
			// The leader updates the counts. Each replica patches its denials.
			{
				APIGroups: []string{"kongdao.io"}, Resources: []string{"pluginpolicies/status"},
				Verbs: []string{"update", "patch"},
			},
			// Policies select namespaces by label.
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list", "watch"}},
			// A patch removes a scheduling gate.
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch", "patch"}},
			// Copies are immutable, so kongdao never updates them.
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "delete"}},
			// The main webhook is the source of the one for policies, so these permissions are read-only.
			webhooks(main, "list", "watch"),
			webhooks(main+policy.ConfigurationSuffix, verbs...),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rules (-want +got)\n%s", diff)
		}
	})
}

// TestEveryRuleHasAComment proves that a comment in the rendered manifests gives the reason for each rule.
func TestEveryRuleHasAComment(t *testing.T) {
	for set, flags := range valueSets(t) {
		lines := strings.Split(runHelmOrFail(t, append([]string{"template", release, chartDir}, flags...)...), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "  - apiGroups:") && !strings.HasPrefix(lines[i-1], "  # ") {
				t.Errorf("values %s: line %d has no comment above it: %s", set, i+1, line)
			}
		}
	}
}

// TestEveryRoleIsBound proves that every role has one binding, and that all bindings have only the service account of
// the pods.
func TestEveryRoleIsBound(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		account := rbacv1.Subject{
			Kind: rbacv1.ServiceAccountKind, Namespace: releaseNamespace,
			Name: findPodSpec(t, objects).ServiceAccountName,
		}
		bound := map[string]int{}
		check := func(namespace, name string, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
			bound[role.Kind+" "+namespace+" "+role.Name]++
			if !slices.Equal(subjects, []rbacv1.Subject{account}) {
				t.Errorf("the subjects of the binding %s are %v, want %v", name, subjects, account)
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
			t.Errorf("roles (-rendered +bound)\n%s", diff)
		}
	})
}
