package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestPermissionsAreNarrow proves that no role reaches more namespaces, objects or verbs than it needs.
func TestPermissionsAreNarrow(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		objects = withoutUserRoles(objects)
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			for _, rule := range role.Rules {
				checkRule(t, role.Name, rule)
				if slices.Contains(rule.Resources, "secrets") {
					t.Errorf("ClusterRole %s grants access to the Secrets of all namespaces: %v", role.Name, rule)
				}
				if set == "namespaced" && !areWebhookConfigurations(rule.Resources) {
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
			// Two for each component, for plugins and migrations.
			want = slices.Concat(slices.Repeat([]string{"kong"}, 4), slices.Repeat([]string{"kong-staging"}, 4), want)
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
	// Another one restricts this permission to immutable sources.
	releases := strings.HasSuffix(role, "-prune") && slices.Equal(rule.Resources, []string{"configmaps"})
	// Another one restricts this permission to Jobs of PluginMigrations.
	jobs := strings.HasSuffix(role, "-migrations") && slices.Equal(rule.Resources, []string{"jobs"})
	mayDelete := slices.Contains(rule.Verbs, "delete")
	if mayDelete && !migrations && !copies && !releases && !jobs || slices.Contains(rule.Verbs, "deletecollection") {
		t.Errorf("%s has an unexpected permission to delete: %v", role, rule)
	}
	if slices.ContainsFunc(rule.Resources, isWebhookConfiguration) && len(rule.ResourceNames) != 1 {
		t.Errorf("%s grants access to webhook configurations of others: %v", role, rule)
	}
}

func isWebhookConfiguration(resource string) bool {
	return strings.HasSuffix(resource, "webhookconfigurations")
}

func areWebhookConfigurations(resources []string) bool {
	return !slices.ContainsFunc(resources, func(resource string) bool { return !isWebhookConfiguration(resource) })
}

// TestMigrationPermissions proves that the controller can patch pods, but not update or delete them, and that it can
// create and delete Jobs, but not change them. The webhook can only read PluginMigrations. Without migrations and
// policies, nothing has these permissions.
func TestMigrationPermissions(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		want := map[component]map[string][]string{
			webhook: {"pluginmigrations": {"list", "watch"}, "pods": {"list"}},
			controller: {
				"pods": {"get", "list", "patch", "watch"}, "jobs": {"create", "delete", "list", "watch"},
				"pluginmigrations": {"create", "delete", "list", "watch"}, "pluginmigrations/status": {"update"},
			},
		}
		if set == "bare" {
			want = map[component]map[string][]string{webhook: {"pods": {"list"}}}
		}
		for _, component := range []component{webhook, controller} {
			got := grantedVerbs(t, component.of(objects))
			for _, resource := range []string{"pods", "jobs", "pluginmigrations", "pluginmigrations/status"} {
				if diff := cmp.Diff(want[component][resource], got[resource]); diff != "" {
					t.Errorf("verbs of the %s on %s (-want +got)\n%s", component, resource, diff)
				}
			}
		}
	})
}

// TestWebhookCannotWrite proves that the process that takes requests from the network cannot create Jobs, and can write
// neither pods nor ConfigMaps.
func TestWebhookCannotWrite(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		granted := grantedVerbs(t, webhook.of(objects))
		for resource, want := range map[string][]string{
			"jobs": nil, "pods": {"list"}, "configmaps": {"list", "watch"},
		} {
			if diff := cmp.Diff(want, granted[resource]); diff != "" {
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

// TestEveryRoleIsBound proves that every role has one binding, and that all bindings of a component have only the
// service account of its pods. The components have different accounts.
func TestEveryRoleIsBound(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		accounts := map[string]bool{}
		for _, component := range componentsOf(t, objects) {
			account := component.podSpec(t, objects).ServiceAccountName
			accounts[account] = true
			checkBindings(t, component.of(objects), account)
		}
		if len(accounts) != len(componentsOf(t, objects)) {
			t.Errorf("the service accounts are %v, want one for each component", accounts)
		}
	})
}

// checkBindings checks that each role has one binding, and that all bindings have only the service account.
func checkBindings(t *testing.T, objects []*unstructured.Unstructured, serviceAccount string) {
	t.Helper()
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: releaseNamespace, Name: serviceAccount}
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
}
