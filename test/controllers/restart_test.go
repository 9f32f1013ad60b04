package controllers

import (
	"context"
	"fmt"
	"slices"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// restart kills the controller, as a failing node does. It calls meanwhile, then starts it again. It deletes the
// Lease, which would otherwise expire some seconds later.
func restart(t *testing.T, meanwhile func()) {
	t.Helper()
	if err := controller.Kill(); err != nil {
		t.Fatal(err)
	}
	if meanwhile != nil {
		meanwhile()
	}
	deleteLease(t)
	if err := controller.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kongdao-migrations"}}
}

func deleteLease(t *testing.T) {
	t.Helper()
	if err := client.IgnoreNotFound(webhook.Admin.Delete(t.Context(), lease())); err != nil {
		t.Fatal(err)
	}
}

// permission is one verb on one resource.
type permission struct{ verb, group, resource, subresource string }

// ruleResource returns the resource as RBAC rules name it.
func (p permission) ruleResource() string {
	if p.subresource == "" {
		return p.resource
	}
	return p.resource + "/" + p.subresource
}

// missingMessage returns what the API server answers without the permission.
func (p permission) missingMessage() string {
	return fmt.Sprintf("cannot %s resource %q", p.verb, p.ruleResource())
}

// revoke takes the permission from the controller, so that it stops before the step that needs it. It returns a
// function that gives the permission back.
func (p permission) revoke(t *testing.T) (grant func()) {
	t.Helper()
	expectLogError(p.missingMessage())
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: installation.ControllerUser}}
	get(t, role)
	before := role.DeepCopy().Rules
	for i := range role.Rules {
		if rule := &role.Rules[i]; slices.Contains(rule.Resources, p.ruleResource()) {
			rule.Verbs = slices.DeleteFunc(rule.Verbs, func(verb string) bool { return verb == p.verb })
		}
	}
	role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return len(rule.Verbs) == 0 })
	set := func(rules []rbacv1.PolicyRule, allowed bool) {
		change(t, role, func(role *rbacv1.ClusterRole) { role.Rules = rules })
		cluster.Eventually(t, func(ctx context.Context) error { return p.check(ctx, allowed) })
	}
	set(slices.Clone(role.Rules), false)
	return func() { set(before, true) }
}

// check returns an error unless the API server allows the permission as wanted.
func (p permission) check(ctx context.Context, allowed bool) error {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: installation.ControllerUser, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: metav1.NamespaceDefault, Verb: p.verb,
			Group: p.group, Resource: p.resource, Subresource: p.subresource,
		},
	}}
	if err := webhook.Admin.Create(ctx, review); err != nil {
		return err
	}
	if review.Status.Allowed != allowed {
		return fmt.Errorf("the controller may %s %s: %v", p.verb, p.ruleResource(), review.Status.Allowed)
	}
	return nil
}

// waitUntilGone waits until a deleted object no longer exists.
func waitUntilGone(t *testing.T, object client.Object) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil {
			return fmt.Errorf("%T %s still exists", object, object.GetName())
		}
		return client.IgnoreNotFound(err)
	})
}
