package api

import (
	"net/http"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWatchNamespaces checks that a webhook with --watch-namespaces needs permissions only in these namespaces.
func TestWatchNamespaces(t *testing.T) {
	t.Parallel()
	rules := pluginRules(t)
	user := unique("namespaced")
	_, kubeconfig, err := plane.User(user)
	if err != nil {
		t.Fatal(err)
	}
	watched := []string{shared.CreateNamespace(t), shared.CreateNamespace(t)}
	other := shared.CreateNamespace(t)
	for _, ns := range append([]string{other}, watched...) {
		createDAOTest(t, ns)
	}
	for _, ns := range watched {
		meta := metav1.ObjectMeta{Namespace: ns, Name: user}
		shared.Create(t, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, &rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	}
	limited := secondWebhook(t, kubeconfig, []string{`cannot list resource "configmaps"`}, "--watch-namespaces",
		watched[0]+","+watched[1])
	if err := limited.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ns := range watched {
		status, review, err := postReview(t, limited, tlsConfig(t), pod(ns, "kong", "dao-test"))
		if err != nil || status != http.StatusOK || review.Response == nil || len(review.Response.Patch) == 0 {
			t.Errorf("a pod in a watched namespace: got %d %+v %v", status, review.Response, err)
		}
	}
	status, _, err := postReview(t, limited, tlsConfig(t), pod(other, "kong", "dao-test"))
	if err != nil || status != http.StatusInternalServerError {
		t.Errorf("a pod in another namespace: got %d %v, want a failure", status, err)
	}
}
