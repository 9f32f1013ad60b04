package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// TestNoOtherPermissions checks that the webhook has the permissions of rbac-plugins.yaml, and otherwise only those of
// every user.
func TestNoOtherPermissions(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	rulesOf := func(user string) []authorizationv1.ResourceRule {
		config, _, err := plane.User(user)
		if err != nil {
			t.Fatal(err)
		}
		userClient, err := client.New(config, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: ns}}
		if err := userClient.Create(t.Context(), review); err != nil {
			t.Fatal(err)
		}
		return review.Status.ResourceRules
	}
	rules := pluginRules(t)
	ofEveryUser := fmt.Sprint(rulesOf("any-user"))
	allowed := map[string]bool{}
	for _, rule := range rulesOf(installation.WebhookUser) {
		if !bytes.Contains([]byte(ofEveryUser), []byte(fmt.Sprint(rule))) {
			allowed[fmt.Sprint(rule.APIGroups, rule.Resources, rule.ResourceNames, rule.Verbs)] = true
		}
	}
	for _, rule := range rules {
		text := fmt.Sprint(rule.APIGroups, rule.Resources, rule.ResourceNames, rule.Verbs)
		if !allowed[text] {
			t.Errorf("%s is in rbac-plugins.yaml, but not granted", text)
		}
		delete(allowed, text)
		if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs), "*") {
			t.Errorf("%s: a wildcard grants too much", text)
		}
	}
	if len(allowed) > 0 {
		t.Errorf("granted, but not in rbac-plugins.yaml: %v", allowed)
	}
	for _, denied := range [][2]string{{"get", "configmaps"}, {"list", "secrets"}, {"get", "secrets"}, {"watch", "pods"},
		{"create", "pods"}, {"update", "configmaps"}, {"list", "namespaces"}} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               installation.WebhookUser,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: denied[0], Resource: denied[1]},
		}}
		shared.Create(t, review)
		if review.Status.Allowed {
			t.Errorf("the webhook can %s %s", denied[0], denied[1])
		}
	}
}

// TestEachPermissionIsNeeded removes each permission of rbac-plugins.yaml in turn. Then something must fail, and the
// log must name the missing permission.
func TestEachPermissionIsNeeded(t *testing.T) {
	t.Parallel()
	rules := pluginRules(t)
	for _, test := range []struct {
		resource, verb string
		// use does what needs the permission.
		use func(t *testing.T, w *installation.Webhook)
	}{
		{"configmaps", "list", func(t *testing.T, w *installation.Webhook) {
			// The cache works without it, because a watch can begin with the existing objects.
			status, _, err := postReview(t, w, tlsConfig(t), pod("default", "kong", "nope"))
			if err != nil || status != http.StatusInternalServerError {
				t.Errorf("a pod with an unknown plugin: got %d %v, want a failure", status, err)
			}
		}},
		{"configmaps", "watch", admitSourcesMissingInCache},
		{"pods", "list", updateWithoutPin},
		{"events", "create", func(t *testing.T, w *installation.Webhook) { denyRepeatedly(t, w, 1) }},
		{"events", "patch", func(t *testing.T, w *installation.Webhook) { denyRepeatedly(t, w, 3) }},
	} {
		t.Run(test.verb+" "+test.resource, func(t *testing.T) {
			t.Parallel()
			name := unique("without-" + test.verb + "-" + test.resource)
			kubeconfig, err := installation.CreateUser(t.Context(), plane, name, withoutVerb(rules, test.resource, test.verb))
			if err != nil {
				t.Fatal(err)
			}
			message := fmt.Sprintf(`cannot %s resource "%s"`, test.verb, test.resource)
			limited := secondWebhook(t, kubeconfig, []string{message})
			if err := limited.Start(); err != nil {
				t.Fatal(err)
			}
			cluster.Eventually(t, func(context.Context) error { // the webhook serves before it is ready
				connection, err := tls.Dial("tcp", limited.Address(), tlsConfig(t))
				if err != nil {
					return err
				}
				return connection.Close()
			})
			test.use(t, limited)
			cluster.Eventually(t, func(context.Context) error {
				lines, err := cluster.ReadLog(limited)
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(lines, func(line cluster.LogLine) bool {
					return strings.Contains(strings.ReplaceAll(line.String(), `\"`, `"`), message)
				}) {
					log, _ := os.ReadFile(limited.LogFile())
					return fmt.Errorf("the log does not have %q: %s", message, log)
				}
				return nil
			})
		})
	}
}

// admitSourcesMissingInCache checks that a webhook that cannot watch, and therefore never gets a new source into its
// cache, finds the source in the API server before it denies a pod.
func admitSourcesMissingInCache(t *testing.T, w *installation.Webhook) {
	cluster.Eventually(t, w.Ready)
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	status, review, err := postReview(t, w, tlsConfig(t), pod(ns, "kong", "dao-test"))
	if err != nil || status != http.StatusOK || !review.Response.Allowed || len(review.Response.Patch) == 0 {
		t.Errorf("a pod with a new source: got %d %+v %v", status, review.Response, err)
	}
	// Several pages of sources. The broken one is on the last page.
	plugins := []string{"z-broken"}
	broken := source(ns, "z-broken")
	delete(broken.Data, "schema.lua")
	shared.Create(t, broken)
	for i := range 25 {
		plugin := fmt.Sprintf("complete-%d", i)
		plugins = append(plugins, plugin)
		shared.Create(t, source(ns, plugin))
	}
	status, review, err = postReview(t, w, tlsConfig(t), pod(ns, "kong", strings.Join(plugins, ",")))
	if err != nil || status != http.StatusOK || review.Response.Allowed {
		t.Fatalf("a pod with many plugins: got %d %+v %v", status, review.Response, err)
	}
	const want = `plugin "z-broken" in ConfigMap "plugin-z-broken": the plugin has no schema.lua; Kong does not start: ` +
		`"no configuration schema found for plugin: z-broken"; add schema.lua`
	if got := review.Response.Result.Message; got != want {
		t.Errorf("got message %q, want %q", got, want)
	}
}

// denyRepeatedly lets a webhook deny a pod of the same owner several times.
func denyRepeatedly(t *testing.T, w *installation.Webhook, times int) {
	ns := shared.CreateNamespace(t)
	denied := ownedPod(ns, "kong", "nope")
	for range times {
		status, review, err := postReview(t, w, tlsConfig(t), denied)
		if err != nil || status != http.StatusOK || review.Response.Allowed {
			t.Fatal(errors.Join(fmt.Errorf("got %d %+v", status, review.Response), err))
		}
	}
}

// withoutVerb returns rules without one verb on one resource.
func withoutVerb(rules []rbacv1.PolicyRule, resource, verb string) []rbacv1.PolicyRule {
	var remaining []rbacv1.PolicyRule
	for i := range rules {
		rule := rules[i].DeepCopy()
		if slices.Contains(rule.Resources, resource) {
			rule.Verbs = slices.DeleteFunc(rule.Verbs, func(v string) bool { return v == verb })
		}
		if len(rule.Verbs) > 0 {
			remaining = append(remaining, *rule)
		}
	}
	return remaining
}

// updateWithoutPin sends the update of a Deployment whose template has no pin. The webhook looks for its pods.
func updateWithoutPin(t *testing.T, w *installation.Webhook) {
	t.Helper()
	object := `{"spec":{"selector":{},"template":{"metadata":{"annotations":{"kongdao.io/plugins":"nope"}}}}}`
	review := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"7","namespace":"default",` +
		`"kind":{"group":"apps","version":"v1","kind":"Deployment"},"operation":"UPDATE",` +
		`"object":` + object + `,"oldObject":` + object + `}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL("/mutate/workloads"),
		strings.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Transport{TLSClientConfig: tlsConfig(t), DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(answer), "kongdao cannot choose releases for this Deployment") {
		t.Errorf("%v: %s", err, answer)
	}
}
