package api

import (
	"net/http"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/test/installation"
)

// TestWatchNamespaces proves that a webhook which is told its namespaces needs
// no right beyond them, and has none.
func TestWatchNamespaces(t *testing.T) {
	t.Parallel()
	rules, err := installation.WebhookRules()
	if err != nil {
		t.Fatal(err)
	}
	user := unique("namespaced")
	_, kubeconfig, err := plane.User(user)
	if err != nil {
		t.Fatal(err)
	}
	watched := []string{namespace(t), namespace(t)}
	other := namespace(t)
	for _, ns := range append([]string{other}, watched...) {
		daoTest(t, ns)
	}
	for _, ns := range watched {
		meta := metav1.ObjectMeta{Namespace: ns, Name: user}
		create(t, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, &rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	}
	of := second(t, kubeconfig, []string{`cannot list resource "configmaps"`}, "--watch-namespaces", watched[0]+","+watched[1])
	if err := of.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ns := range watched {
		status, answer, err := ask(t, of, tlsConfig(t), pod(ns, "kong", "dao-test"))
		if err != nil || status != http.StatusOK || answer.Response == nil || len(answer.Response.Patch) == 0 {
			t.Errorf("a pod in a namespace that is watched: %d %+v %v", status, answer.Response, err)
		}
	}
	status, _, err := ask(t, of, tlsConfig(t), pod(other, "kong", "dao-test"))
	if err != nil || status != http.StatusInternalServerError {
		t.Errorf("a pod in another namespace: %d %v, want that it cannot be decided on", status, err)
	}
}
