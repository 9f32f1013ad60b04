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

	"kongdao.io/kongdao/test/installation"
)

// restart kills the webhook, as a node that fails does, and starts it again
// after what happens meanwhile. Its Lease, which would expire in some seconds,
// is gone at once.
func restart(t *testing.T, meanwhile func()) {
	t.Helper()
	if err := webhook.Kill(); err != nil {
		t.Fatal(err)
	}
	if meanwhile != nil {
		meanwhile()
	}
	giveUpLease(t)
	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kongdao-migrations"}}
}

func giveUpLease(t *testing.T) {
	t.Helper()
	if err := client.IgnoreNotFound(webhook.Admin.Delete(t.Context(), lease())); err != nil {
		t.Fatal(err)
	}
}

// right is what the webhook may do to one kind of objects.
type right struct{ verb, group, resource, subresource string }

// whole is the resource as rules name it.
func (r right) whole() string {
	if r.subresource == "" {
		return r.resource
	}
	return r.resource + "/" + r.subresource
}

// missed is what the API server answers to who has not the right.
func (r right) missed() string { return fmt.Sprintf("cannot %s resource %q", r.verb, r.whole()) }

// take takes a right from the webhook, so that it cannot come beyond the step
// that needs it, and yields what gives it back.
func (r right) take(t *testing.T) (giveBack func()) {
	t.Helper()
	expect(r.missed())
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: installation.WebhookUser}}
	get(t, role)
	whole := role.DeepCopy().Rules
	for i := range role.Rules {
		if rule := &role.Rules[i]; slices.Contains(rule.Resources, r.whole()) {
			rule.Verbs = slices.DeleteFunc(rule.Verbs, func(verb string) bool { return verb == r.verb })
		}
	}
	role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return len(rule.Verbs) == 0 })
	set := func(rules []rbacv1.PolicyRule, may bool) {
		change(t, role, func(role *rbacv1.ClusterRole) { role.Rules = rules })
		eventually(t, func(ctx context.Context) error { return r.check(ctx, may) })
	}
	set(slices.Clone(role.Rules), false)
	return func() { set(whole, true) }
}

// check says whether the webhook has the right though it should not, or the
// other way round.
func (r right) check(ctx context.Context, may bool) error {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: installation.WebhookUser, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: metav1.NamespaceDefault, Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource,
		},
	}}
	if err := webhook.Admin.Create(ctx, review); err != nil {
		return err
	}
	if review.Status.Allowed != may {
		return fmt.Errorf("that it may %s %s/%s is %v", r.verb, r.resource, r.subresource, review.Status.Allowed)
	}
	return nil
}

// waitUntilGone waits until an object that was deleted is no more.
func waitUntilGone(t *testing.T, object client.Object) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil {
			return fmt.Errorf("%T %s is there", object, object.GetName())
		}
		return client.IgnoreNotFound(err)
	})
}
