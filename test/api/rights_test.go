package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/installation"
)

// TestNoRightBeyondThose proves that the webhook may do what rbac-plugins.yaml
// says and nothing else, but for what every user may.
func TestNoRightBeyondThose(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	rulesOf := func(user string) []authorizationv1.ResourceRule {
		config, _, err := plane.User(user)
		if err != nil {
			t.Fatal(err)
		}
		comes, err := client.New(config, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: ns}}
		if err := comes.Create(t.Context(), review); err != nil {
			t.Fatal(err)
		}
		return review.Status.ResourceRules
	}
	rules, err := installation.WebhookRules()
	if err != nil {
		t.Fatal(err)
	}
	anybodys := fmt.Sprint(rulesOf("nobody"))
	allowed := map[string]bool{}
	for _, rule := range rulesOf(installation.WebhookUser) {
		if !bytes.Contains([]byte(anybodys), []byte(fmt.Sprint(rule))) {
			allowed[fmt.Sprint(rule.APIGroups, rule.Resources, rule.ResourceNames, rule.Verbs)] = true
		}
	}
	for _, rule := range rules {
		text := fmt.Sprint(rule.APIGroups, rule.Resources, rule.ResourceNames, rule.Verbs)
		if !allowed[text] {
			t.Errorf("%s is in rbac-plugins.yaml and not granted", text)
		}
		delete(allowed, text)
		if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs), "*") {
			t.Errorf("%s: a star grants what nobody thought of", text)
		}
	}
	if len(allowed) > 0 {
		t.Errorf("granted beyond rbac-plugins.yaml: %v", allowed)
	}
	for _, denied := range [][2]string{{"get", "configmaps"}, {"list", "secrets"}, {"get", "secrets"}, {"list", "pods"}, {"create", "pods"}, {"update", "configmaps"}, {"list", "namespaces"}} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               installation.WebhookUser,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: denied[0], Resource: denied[1]},
		}}
		create(t, review)
		if review.Status.Allowed {
			t.Errorf("the webhook may %s %s", denied[0], denied[1])
		}
	}
}

// TestEachRightIsNeeded proves that what rbac-plugins.yaml grants is used: with
// any one right taken away, something does not work, and the log says which.
func TestEachRightIsNeeded(t *testing.T) {
	t.Parallel()
	rules, err := installation.WebhookRules()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		resource, verb string
		// use is what needs the right.
		use func(t *testing.T, of *installation.Webhook)
	}{
		{"configmaps", "list", func(t *testing.T, of *installation.Webhook) {
			// The cache can do without, by a watch that begins with what is there.
			status, _, err := ask(t, of, tlsConfig(t), pod("default", "kong", "nope"))
			if err != nil || status != http.StatusInternalServerError {
				t.Errorf("a pod that cannot be decided on: %d %v", status, err)
			}
		}},
		{"configmaps", "watch", youngerThanTheCache},
		{"events", "create", func(t *testing.T, of *installation.Webhook) { deny(t, of, 1) }},
		{"events", "patch", func(t *testing.T, of *installation.Webhook) { deny(t, of, 3) }},
	} {
		t.Run(test.verb+" "+test.resource, func(t *testing.T) {
			t.Parallel()
			name := unique("without-" + test.verb + "-" + test.resource)
			kubeconfig, err := installation.CreateUser(t.Context(), plane, name, without(rules, test.resource, test.verb))
			if err != nil {
				t.Fatal(err)
			}
			complaint := fmt.Sprintf(`cannot %s resource "%s"`, test.verb, test.resource)
			poor := second(t, kubeconfig, []string{complaint})
			if err := poor.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, func(context.Context) error { // it is served before it is ready
				connection, err := tls.Dial("tcp", poor.Address(), tlsConfig(t))
				if err != nil {
					return err
				}
				return connection.Close()
			})
			test.use(t, poor)
			eventually(t, func(context.Context) error {
				lines, err := readLog(poor)
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(lines, func(l line) bool { return containsAny(l.Error+l.Message, []string{complaint}) }) {
					log, _ := os.ReadFile(poor.LogFile())
					return fmt.Errorf("the log does not say %s: %s", complaint, log)
				}
				return nil
			})
		})
	}
}

// youngerThanTheCache proves that a webhook which cannot watch, and so never
// sees a new source, finds it all the same before it would deny a pod.
func youngerThanTheCache(t *testing.T, of *installation.Webhook) {
	eventually(t, of.Ready)
	ns := namespace(t)
	daoTest(t, ns)
	status, answer, err := ask(t, of, tlsConfig(t), pod(ns, "kong", "dao-test"))
	if err != nil || status != http.StatusOK || !answer.Response.Allowed || len(answer.Response.Patch) == 0 {
		t.Errorf("a pod in the instant of its source: %d %+v %v", status, answer.Response, err)
	}
	// More than one read brings, of which the last lacks what all others have.
	plugins := []string{"z-broken"}
	broken := source(ns, "z-broken")
	delete(broken.Data, "schema.lua")
	create(t, broken)
	for i := range 25 {
		plugin := fmt.Sprintf("whole-%d", i)
		plugins = append(plugins, plugin)
		create(t, source(ns, plugin))
	}
	status, answer, err = ask(t, of, tlsConfig(t), pod(ns, "kong", strings.Join(plugins, ",")))
	if err != nil || status != http.StatusOK || answer.Response.Allowed {
		t.Fatalf("a pod of many plugins: %d %+v %v", status, answer.Response, err)
	}
	const want = `plugin "z-broken": no schema.lua in ConfigMap "plugin-z-broken"; add it, because Kong does not start without it`
	if got := answer.Response.Result.Message; got != want {
		t.Errorf("denied with: %s", got)
	}
}

// deny has a webhook deny the pod of the same owner some times.
func deny(t *testing.T, of *installation.Webhook, times int) {
	ns := namespace(t)
	denied := ownedPod(ns, "kong", "nope")
	for range times {
		status, answer, err := ask(t, of, tlsConfig(t), denied)
		if err != nil || status != http.StatusOK || answer.Response.Allowed {
			t.Fatal(errors.Join(fmt.Errorf("answered %d %+v", status, answer.Response), err))
		}
	}
}

// without is what is left of rules when one verb on one resource is taken out.
func without(rules []rbacv1.PolicyRule, resource, verb string) []rbacv1.PolicyRule {
	left := make([]rbacv1.PolicyRule, len(rules))
	for i := range rules {
		left[i] = *rules[i].DeepCopy()
		if slices.Contains(left[i].Resources, resource) {
			left[i].Verbs = slices.DeleteFunc(left[i].Verbs, func(v string) bool { return v == verb })
		}
	}
	return left
}
