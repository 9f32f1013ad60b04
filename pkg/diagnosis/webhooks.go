package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// The webhooks of kongdao.
const (
	podsWebhook      = "pods.kongdao.io"
	workloadsWebhook = "workloads.kongdao.io"
	policiesWebhook  = "policies.kongdao.io"
)

// registered is a webhook of kongdao in a configuration.
type registered struct {
	configuration string
	webhook       *admissionregistrationv1.MutatingWebhook
}

// label names a webhook in messages.
func (r registered) label() string {
	return fmt.Sprintf("webhook %q in MutatingWebhookConfiguration %q", r.webhook.Name, r.configuration)
}

// registered returns the webhooks with a name.
func (i *Installation) registered(name string) []registered {
	var found []registered
	for c := range i.Mutating {
		configuration := &i.Mutating[c]
		for w := range configuration.Webhooks {
			if configuration.Webhooks[w].Name == name {
				found = append(found, registered{configuration.Name, &configuration.Webhooks[w]})
			}
		}
	}
	return found
}

// checkWebhooks checks how the API server calls kongdao.
func (i *Installation) checkWebhooks() Results {
	var results Results
	for _, name := range []string{podsWebhook, workloadsWebhook} {
		found := i.registered(name)
		switch len(found) {
		case 0:
			results = append(results, Result{"webhook-" + name, Failed,
				fmt.Sprintf("no MutatingWebhookConfiguration has the webhook %q: kongdao is not called", name),
				"upgrade the chart again: it creates the configuration"})
		case 1:
			results = append(results, i.checkRegistered(found[0])...)
		default:
			var configurations []string
			for _, r := range found {
				configurations = append(configurations, r.configuration)
			}
			results = append(results, Result{"webhook-" + name, Failed,
				fmt.Sprintf("several configurations have the webhook %q: %s", name, names(configurations)),
				"uninstall the other installation of kongdao, or delete what is left of it"})
		}
	}
	results = append(results, i.checkPolicyWebhook())
	if len(i.registered(podsWebhook)) > 0 {
		results = append(results, i.checkService())
	}
	return results
}

// checkRegistered checks one webhook.
func (i *Installation) checkRegistered(r registered) Results {
	id := "webhook-" + r.webhook.Name
	var results Results
	add := func(status Status, message, hint string) {
		results = append(results, Result{id, status, r.label() + " " + message, hint})
	}
	const upgrade = "upgrade the chart again, and find out who changed the configuration"
	if len(r.webhook.MatchConditions) == 0 {
		add(Failed, "has no matchConditions: all pods of the cluster wait for kongdao", upgrade)
	}
	if r.webhook.FailurePolicy != nil && *r.webhook.FailurePolicy == admissionregistrationv1.Ignore {
		add(Warning, "has failurePolicy Ignore: if kongdao is down, pods start without their plugins",
			"set webhook.failurePolicy to Fail in the chart, unless you want this")
	}
	if r.webhook.NamespaceSelector == nil || len(r.webhook.NamespaceSelector.MatchExpressions) == 0 {
		add(Failed, "selects all namespaces, kube-system too", upgrade)
	}
	service := r.webhook.ClientConfig.Service
	if service != nil && !i.hasService(service.Namespace, service.Name) {
		add(Failed, fmt.Sprintf("calls the Service %q, which does not exist", service.Namespace+"/"+service.Name), upgrade)
	}
	if len(results) == 0 {
		add(OK, "is complete", "")
	}
	return results
}

func (i *Installation) hasService(namespace, name string) bool {
	for s := range i.Services {
		if i.Services[s].Namespace == namespace && i.Services[s].Name == name {
			return true
		}
	}
	return false
}

// checkPolicyWebhook checks that the API server calls kongdao for pods that policies give plugins.
func (i *Installation) checkPolicyWebhook() Result {
	const id = "webhook-" + policiesWebhook
	needed := false
	for p := range i.Policies {
		needed = needed || len(i.Policies[p].Spec.Plugins) > 0
	}
	found := len(i.registered(policiesWebhook)) > 0
	switch {
	case needed && !found:
		return Result{id, Failed, "PluginPolicies give pods plugins, but no webhook is called for these pods",
			"check that the controller runs, and that policies.enabled is true in the chart"}
	case !needed:
		return Result{id, OK, "no PluginPolicy gives pods plugins", ""}
	}
	return Result{id, OK, "the API server calls kongdao for the pods of PluginPolicies", ""}
}

// checkService checks that the Service of the webhook has ready pods.
func (i *Installation) checkService() Result {
	const id = "service"
	for _, r := range i.registered(podsWebhook) {
		service := r.webhook.ClientConfig.Service
		if service == nil {
			continue
		}
		ready := 0
		for s := range i.Slices {
			slice := &i.Slices[s]
			if slice.Namespace != service.Namespace || slice.Labels["kubernetes.io/service-name"] != service.Name {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
					ready += len(endpoint.Addresses)
				}
			}
		}
		name := service.Namespace + "/" + service.Name
		if ready == 0 {
			return Result{id, Failed, fmt.Sprintf("Service %q has no ready pod", name),
				"check the Deployment of the webhook, and that the selector of the Service matches its pods"}
		}
		return Result{id, OK, fmt.Sprintf("Service %q has %s", name, verb(ready, "ready address", "ready addresses")), ""}
	}
	return Result{id, OK, "the webhooks call a URL, and no Service", ""}
}

// checkAdmission checks the answer to a dry run.
func (i *Installation) checkAdmission() Result {
	const id = "admission"
	answer := i.Admission
	switch {
	case answer.Namespace == "":
		return Result{id, Warning, "the API server was not asked to admit a pod", "use an account that may create pods"}
	case strings.Contains(answer.Error, "denied the request") && strings.Contains(answer.Error, podsWebhook):
		return Result{id, OK, "kongdao denies a pod that requests a plugin that does not exist", ""}
	case strings.Contains(answer.Error, "failed calling webhook"):
		return Result{id, Failed, "the API server cannot call kongdao: " + answer.Error,
			"check the Deployment, the Service, the certificate, and the NetworkPolicies of kongdao's namespace"}
	case answer.Error == "":
		return Result{id, Failed, fmt.Sprintf("kongdao was not called for a pod in namespace %q", answer.Namespace),
			"check the namespaceSelector and the matchConditions of the webhook, and choose another namespace with -n"}
	}
	return Result{id, Warning, "the API server did not admit a pod, but not because of kongdao: " + answer.Error,
		"choose another namespace with -n"}
}

// checkAdmissionPolicies checks that the policies that restrict kongdao's own accounts are enforced.
func (i *Installation) checkAdmissionPolicies() Result {
	const id = "admission-policies"
	enforced := map[string]bool{}
	for b := range i.AdmissionBindings {
		binding := &i.AdmissionBindings[b]
		if slices.Contains(binding.Spec.ValidationActions, admissionregistrationv1.Deny) {
			enforced[binding.Spec.PolicyName] = true
		}
	}
	var without []string
	for p := range i.AdmissionPolicies {
		if name := i.AdmissionPolicies[p].Name; !enforced[name] {
			without = append(without, name)
		}
	}
	switch {
	case len(i.AdmissionPolicies) == 0:
		return Result{id, Warning, "there is no ValidatingAdmissionPolicy of kongdao: a stolen token of kongdao can do more",
			"upgrade the chart again"}
	case len(without) > 0:
		return Result{id, Warning, "these ValidatingAdmissionPolicies are not enforced: " + names(without),
			"upgrade the chart again: it creates their bindings"}
	}
	return Result{id, OK, fmt.Sprintf("%d ValidatingAdmissionPolicies restrict kongdao's accounts",
		len(i.AdmissionPolicies)), ""}
}
