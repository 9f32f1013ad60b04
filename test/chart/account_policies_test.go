package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type (
	admissionPolicy = admissionregistrationv1.ValidatingAdmissionPolicy
	policyBinding   = admissionregistrationv1.ValidatingAdmissionPolicyBinding
)

// accountPolicies returns the ValidatingAdmissionPolicies that restrict kongdao's accounts, by name. These are all but
// the one for copies, which also restricts others.
func accountPolicies(t *testing.T, objects []*unstructured.Unstructured) map[string]*admissionPolicy {
	t.Helper()
	policies := map[string]*admissionPolicy{}
	for _, policy := range findAll[admissionPolicy](t, objects, "ValidatingAdmissionPolicy") {
		if !strings.HasSuffix(policy.Name, "-copies") {
			policies[policy.Name] = policy
		}
	}
	return policies
}

// TestAccountPolicies proves which policies restrict kongdao's accounts. Each one recognizes the service account of its
// component, denies requests that it cannot evaluate, and is in effect.
func TestAccountPolicies(t *testing.T) {
	migrations := []string{"controller-job-deletions", "controller-jobs", "controller-pluginmigrations", "controller-pods"}
	policies := []string{"controller-pods", "controller-webhooks", "webhook-pluginpolicies"}
	self := []string{"webhook-cabundle", "webhook-secrets"}
	certManager := []string{"webhook-cabundle", "webhook-certificates"}
	optional := []string{"controller-releases", "controller-workloads"}
	want := map[string][]string{
		"default":             slices.Concat(migrations, policies, self),
		"full":                slices.Concat(migrations, policies, self, optional),
		"cert-manager":        slices.Concat(migrations, policies, certManager),
		"cert-manager-issuer": slices.Concat(migrations, policies, certManager),
		"files":               slices.Concat(migrations, policies),
		"namespaced":          slices.Concat(migrations, self),
		"bare":                self,
	}
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		prefix := findMainConfiguration(t, objects).Name + "-"
		var got []string
		for name, policy := range accountPolicies(t, objects) {
			got = append(got, strings.TrimPrefix(name, prefix))
			checkAccountPolicy(t, objects, policy)
		}
		slices.Sort(got)
		if diff := cmp.Diff(slices.Compact(slices.Sorted(slices.Values(want[set]))), got); diff != "" {
			t.Errorf("policies (-want +got)\n%s", diff)
		}
	})
	t.Run("existing accounts", func(t *testing.T) {
		objects := render(t, "--set", "serviceAccount.create=false", "--set", "serviceAccount.name=plugins",
			"--set", "controller.serviceAccount.create=false", "--set", "controller.serviceAccount.name=migrations")
		for _, policy := range accountPolicies(t, objects) {
			checkAccountPolicy(t, objects, policy)
		}
	})
}

func checkAccountPolicy(t *testing.T, objects []*unstructured.Unstructured, policy *admissionPolicy) {
	t.Helper()
	component := policy.Labels["app.kubernetes.io/component"]
	account := ""
	for _, deployment := range findAll[appsv1.Deployment](t, objects, "Deployment") {
		if deployment.Labels["app.kubernetes.io/component"] == component {
			account = deployment.Spec.Template.Spec.ServiceAccountName
		}
	}
	want := []admissionregistrationv1.MatchCondition{{
		Name:       "is-kongdao",
		Expression: fmt.Sprintf("request.userInfo.username == 'system:serviceaccount:%s:%s'", releaseNamespace, account),
	}}
	if diff := cmp.Diff(want, policy.Spec.MatchConditions); diff != "" {
		t.Errorf("%s: match conditions (-want +got)\n%s", policy.Name, diff)
	}
	if failure := policy.Spec.FailurePolicy; failure == nil || *failure != admissionregistrationv1.Fail {
		t.Errorf("%s: the failurePolicy is %v, want Fail", policy.Name, failure)
	}
	wantBinding := admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName:        policy.Name,
		ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
	}
	for _, binding := range findAll[policyBinding](t, objects, "ValidatingAdmissionPolicyBinding") {
		if binding.Name != policy.Name {
			continue
		}
		if diff := cmp.Diff(wantBinding, binding.Spec); diff != "" {
			t.Errorf("%s: binding (-want +got)\n%s", policy.Name, diff)
		}
		return
	}
	t.Errorf("%s has no binding", policy.Name)
}

// TestTwoAccounts proves that the webhook and the controller cannot have the same account.
func TestTwoAccounts(t *testing.T) {
	const sameName = "serviceAccount.name=one,controller.serviceAccount.name=one"
	if _, err := runHelm(t, "template", release, chartDir, "--set", sameName); err == nil ||
		!strings.Contains(err.Error(), `are both "one"`) {
		t.Errorf("the chart accepts one account: %v", err)
	}
	render(t, "--set", sameName, "--set", "migrations.enabled=false", "--set", "policies.enabled=false")
}
