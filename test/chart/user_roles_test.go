package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// aggregateLabel is the prefix of the label of a ClusterRole whose rules Kubernetes adds to another one.
const aggregateLabel = "rbac.authorization.k8s.io/aggregate-to-"

// withoutUserRoles removes the ClusterRoles that are for users and not for kongdao.
func withoutUserRoles(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(object *unstructured.Unstructured) bool {
		return object.GetKind() == "ClusterRole" && aggregatesTo(object.GetLabels()) != nil
	})
}

// aggregatesTo returns the ClusterRoles that the labels name.
func aggregatesTo(labels map[string]string) []string {
	var names []string
	for label, value := range labels {
		if name, ok := strings.CutPrefix(label, aggregateLabel); ok && value == "true" {
			names = append(names, name)
		}
	}
	return names
}

// TestUserRoles checks the permissions that the chart adds to the ClusterRoles of Kubernetes. Kubernetes adds those of
// view to edit, and those of edit to admin.
func TestUserRoles(t *testing.T) {
	both := []string{"pluginmigrations", "pluginpolicies"}
	want := map[string][]rbacv1.PolicyRule{
		"view":  {{APIGroups: []string{"kongdao.io"}, Resources: both, Verbs: []string{"get", "list", "watch"}}},
		"edit":  {rule("kongdao.io", "pluginmigrations", []string{"patch", "update", "delete"})},
		"admin": {rule("kongdao.io", "pluginpolicies", []string{"create", "patch", "update", "delete"})},
	}
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		got := map[string][]rbacv1.PolicyRule{}
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			for _, name := range aggregatesTo(role.Labels) {
				got[name] = append(got[name], role.Rules...)
			}
		}
		wanted := want
		if set == "bare" { // aggregateClusterRoles is false
			wanted = map[string][]rbacv1.PolicyRule{}
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("permissions of users (-want +got)\n%s", diff)
		}
	})
}
