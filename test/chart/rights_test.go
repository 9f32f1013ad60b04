package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kongdao.io/kongdao/pkg/policycontroller"
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
	// Of these the ValidatingAdmissionPolicy leaves it the copies.
	copies := strings.HasSuffix(role, "-policies") && slices.Equal(rule.Resources, []string{"configmaps"})
	if slices.Contains(rule.Verbs, "delete") && !ownKind && !copies || slices.Contains(rule.Verbs, "deletecollection") {
		t.Errorf("%s may delete: %v", role, rule)
	}
	if slices.Contains(rule.Resources, "mutatingwebhookconfigurations") && len(rule.ResourceNames) != 1 {
		t.Errorf("%s reaches others' webhook configurations: %v", role, rule)
	}
}

// TestRightsToMigrate proves that kongdao may change nothing of a pod's that it
// did not make but its gates' list, by a patch, and no Job at all, and that
// without migrations and policies it has none of these rights.
func TestRightsToMigrate(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		want := map[string][]string{
			"pods": {"get", "list", "patch", "watch"}, "jobs": {"create", "list", "watch"},
			"pluginmigrations": {"create", "delete", "list", "watch"}, "pluginmigrations/status": {"update"},
		}
		if set == "bare" {
			want = nil
		}
		got := granted(t, objects)
		for _, resource := range []string{"pods", "jobs", "pluginmigrations", "pluginmigrations/status"} {
			if diff := cmp.Diff(want[resource], got[resource]); diff != "" {
				t.Errorf("%s (-want +got)\n%s", resource, diff)
			}
		}
	})
}

// granted are the verbs that all roles together give on each resource, sorted.
func granted(t *testing.T, objects []*unstructured.Unstructured) map[string][]string {
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

// TestRightsOfPolicies proves that following policies takes these rights and no
// others, each for what is written beside it, and that without policies nobody
// has those that are theirs alone.
func TestRightsOfPolicies(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		main := mainConfiguration(t, objects).Name
		var got []rbacv1.PolicyRule
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			if strings.HasSuffix(role.Name, "-policies") {
				got = append(got, role.Rules...)
			}
		}
		if set == "bare" || set == "namespaced" {
			all := granted(t, objects)
			for _, resource := range []string{"pluginpolicies", "pluginpolicies/status", "namespaces"} {
				if len(got) > 0 || all[resource] != nil {
					t.Errorf("no policy is followed, and %s may be %v", resource, all[resource])
				}
			}
			return
		}
		// The caBundle is written by a patch, by who keeps that of the other one.
		written := []string{"get", "update", "patch"}
		if set == "files" {
			written = written[:2]
		}
		want := []rbacv1.PolicyRule{
			// Every replica decides by them.
			{APIGroups: []string{"kongdao.io"}, Resources: []string{"pluginpolicies"}, Verbs: []string{"list", "watch"}},
			// The leader updates what it has counted, each replica applies what it has denied.
			{APIGroups: []string{"kongdao.io"}, Resources: []string{"pluginpolicies/status"}, Verbs: []string{"update", "patch"}},
			// One that is younger than the cache is got.
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list", "watch"}},
			// A gate is lifted by a patch.
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch", "patch"}},
			// Copies are never changed, for they are immutable.
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "delete"}},
			// What the webhook for policies is made of is never written here.
			{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingwebhookconfigurations"}, ResourceNames: []string{main}, Verbs: []string{"list", "watch"}},
			{
				APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingwebhookconfigurations"},
				ResourceNames: []string{main + policycontroller.ConfigurationSuffix}, Verbs: written,
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
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
