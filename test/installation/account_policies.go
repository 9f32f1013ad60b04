package installation

import (
	"context"
	"path/filepath"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// installAccountPolicies creates the ValidatingAdmissionPolicies that restrict kongdao's own accounts. In them, a user
// takes the place of each account, and the webhook's URL that of its Service.
func installAccountPolicies(ctx context.Context, admin client.Client, podsURL string) error {
	files, err := filepath.Glob(manifestPath("*/validatingadmissionpolicy-*.yaml"))
	if err != nil {
		return err
	}
	users := strings.NewReplacer("system:serviceaccount:kongdao-system:kongdao-controller", ControllerUser,
		"system:serviceaccount:kongdao-system:kongdao-webhook", WebhookUser)
	for _, file := range files {
		name := filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file))
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := readManifest(name, policy); err != nil {
			return err
		}
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
		if err := readManifest(name, binding); err != nil {
			return err
		}
		for i := range policy.Spec.MatchConditions {
			condition := &policy.Spec.MatchConditions[i]
			condition.Expression = users.Replace(condition.Expression)
		}
		for i := range policy.Spec.Variables {
			if variable := &policy.Spec.Variables[i]; variable.Name == "callsKongdao" {
				variable.Expression = "variables.webhooks.all(webhook, webhook.clientConfig.?url.orValue('') == '" + podsURL + "')"
			}
		}
		if err := createAll(ctx, admin, "restrict the accounts", policy, binding); err != nil {
			return err
		}
	}
	return nil
}

// CertificateRules returns all permissions of rbac-certificates.yaml.
func CertificateRules() ([]rbacv1.PolicyRule, error) {
	own, cluster := &rbacv1.Role{}, &rbacv1.ClusterRole{}
	for _, role := range []any{own, cluster} {
		if err := readManifest("webhook/rbac-certificates.yaml", role); err != nil {
			return nil, err
		}
	}
	return append(own.Rules, cluster.Rules...), nil
}
