package chart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kongdao.io/kongdao/pkg/policy"
)

// TestPolicyPermissions proves the exact permissions for policies of both components. Without policies, kongdao does
// not have them.
func TestPolicyPermissions(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		if set == "bare" || set == "namespaced" {
			all := grantedVerbs(t, withoutUserRoles(objects))
			for _, resource := range []string{"pluginpolicies", "pluginpolicies/status", "namespaces"} {
				if all[resource] != nil {
					t.Errorf("policies are disabled, but kongdao has the verbs %v on %s", all[resource], resource)
				}
			}
			return
		}
		main := findMainConfiguration(t, objects).Name
		for component, want := range map[component][]rbacv1.PolicyRule{
			webhook:    webhookPolicyRules(main, set != "files"),
			controller: controllerPolicyRules(main),
		} {
			if diff := cmp.Diff(want, policyRules(t, component.of(objects))); diff != "" {
				t.Errorf("rules of the %s (-want +got)\n%s", component, diff)
			}
		}
	})
}

// policyRules returns the rules of the ClusterRole for policies.
func policyRules(t *testing.T, objects []*unstructured.Unstructured) []rbacv1.PolicyRule {
	t.Helper()
	var rules []rbacv1.PolicyRule
	for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		if strings.HasSuffix(role.Name, "-policies") {
			rules = append(rules, role.Rules...)
		}
	}
	return rules
}

// rule returns a rule for one resource of an API group. If names are given, it is only for these objects.
func rule(group, resource string, verbs []string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs, ResourceNames: names,
	}
}

const webhookConfigurations = "mutatingwebhookconfigurations"

// webhookPolicyRules returns the rules of the webhook. It patches the caBundle of the webhook for policies if it keeps
// the caBundles up to date.
func webhookPolicyRules(configuration string, keepsCABundle bool) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		// Every replica applies the policies.
		rule("kongdao.io", "pluginpolicies", []string{"list", "watch"}),
		// Each replica patches its denials into the status.
		rule("kongdao.io", "pluginpolicies/status", []string{"patch"}),
		// Policies select namespaces by label.
		rule("", "namespaces", []string{"list", "watch"}),
	}
	if keepsCABundle {
		rules = append(rules, rule("admissionregistration.k8s.io", webhookConfigurations, []string{"get", "patch"},
			configuration+policy.ConfigurationSuffix))
	}
	return rules
}

func controllerPolicyRules(configuration string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("kongdao.io", "pluginpolicies", []string{"list", "watch"}),
		// The leader updates the counts.
		rule("kongdao.io", "pluginpolicies/status", []string{"update"}),
		rule("", "namespaces", []string{"list", "watch"}),
		// A patch removes a scheduling gate.
		rule("", "pods", []string{"list", "watch", "patch"}),
		// Copies are immutable, so kongdao never updates them.
		rule("", "configmaps", []string{"get", "create", "delete"}),
		// The main webhook is the source of the one for policies, so these permissions are read-only.
		rule("admissionregistration.k8s.io", webhookConfigurations, []string{"list", "watch"}, configuration),
		rule("admissionregistration.k8s.io", webhookConfigurations, []string{"get", "update"},
			configuration+policy.ConfigurationSuffix),
	}
}
