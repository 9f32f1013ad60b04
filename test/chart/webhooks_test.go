package chart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/scope"
)

// TestWebhooksCallTheService proves that both webhooks call an existing port of the Service, and that only
// certificates.caBundle sets their caBundle.
func TestWebhooksCallTheService(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		service := find[corev1.Service](t, webhook.of(objects), "Service")
		webhooks := findMainConfiguration(t, objects).Webhooks
		if len(webhooks) != 2 {
			t.Fatalf("got %d webhooks, want 2", len(webhooks))
		}
		for _, webhook := range webhooks {
			called := webhook.ClientConfig.Service
			if given := webhook.ClientConfig.CABundle != nil; given != (set == "files") {
				t.Errorf("%s: the caBundle is %q", webhook.Name, webhook.ClientConfig.CABundle)
			}
			if called.Name != service.Name || called.Namespace != service.Namespace ||
				*called.Port != service.Spec.Ports[0].Port {
				t.Errorf("%s: calls %+v, but the Service is %s", webhook.Name, called, service.Name)
			}
		}
	})
}

// TestWebhooksForSources proves that the validating webhooks are only for sources, that a failure denies no deletion,
// and that they have the CA bundle of the other webhooks.
func TestWebhooksForSources(t *testing.T) {
	operations := map[string][]admissionregistrationv1.OperationType{
		"sources.kongdao.io":         {admissionregistrationv1.Delete},
		"written.sources.kongdao.io": {admissionregistrationv1.Create, admissionregistrationv1.Update},
	}
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		main := findMainConfiguration(t, objects)
		configuration := find[admissionregistrationv1.ValidatingWebhookConfiguration](
			t, objects, "ValidatingWebhookConfiguration")
		if configuration.Name != main.Name || len(configuration.Webhooks) != len(operations) {
			t.Fatalf("got %d webhooks in %q, want two in %q", len(configuration.Webhooks), configuration.Name, main.Name)
		}
		for _, webhook := range configuration.Webhooks {
			wantClient := main.Webhooks[0].ClientConfig.DeepCopy()
			wantClient.Service.Path = new("/validate/sources")
			if diff := cmp.Diff(*wantClient, webhook.ClientConfig); diff != "" {
				t.Errorf("%s: clientConfig (-want +got)\n%s", webhook.Name, diff)
			}
			want := admissionregistrationv1.Ignore
			if set == "full" && webhook.Name == "written.sources.kongdao.io" {
				want = admissionregistrationv1.Fail
			}
			if *webhook.FailurePolicy != want {
				t.Errorf("%s: failurePolicy is %s, want %s", webhook.Name, *webhook.FailurePolicy, want)
			}
			wantRules := []admissionregistrationv1.RuleWithOperations{{
				Operations: operations[webhook.Name],
				Rule: admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"},
					Resources: []string{"configmaps"}, Scope: new(admissionregistrationv1.NamespacedScope)},
			}}
			if diff := cmp.Diff(wantRules, webhook.Rules); diff != "" {
				t.Errorf("%s: rules (-want +got)\n%s", webhook.Name, diff)
			}
			checkSourceSelector(t, webhook)
		}
	})
}

// checkSourceSelector checks for which ConfigMaps a webhook is called.
func checkSourceSelector(t *testing.T, webhook admissionregistrationv1.ValidatingWebhook) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(webhook.ObjectSelector)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		labels labels.Set
		want   bool
	}{
		"source":          {labels.Set{annotations.Plugin: "dao-test"}, true},
		"copy":            {labels.Set{annotations.Plugin: "", annotations.CopyOf: "dao-test"}, false},
		"other ConfigMap": {labels.Set{"app": "kong"}, false},
	} {
		if selector.Matches(test.labels) != test.want {
			t.Errorf("%s: the webhook %s is called: %v", name, webhook.Name, !test.want)
		}
	}
}

// TestWebhooksExcludeOwnNamespaces proves that no values make the webhooks apply to kube-system or to the release's
// namespace, and that watchNamespaces and webhook.objectSelector restrict them.
func TestWebhooksExcludeOwnNamespaces(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		for _, webhook := range findMainConfiguration(t, objects).Webhooks {
			selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
			if err != nil {
				t.Fatal(err)
			}
			var selected []string
			for _, namespace := range []string{"kube-system", releaseNamespace, "default", "kong", "kong-staging"} {
				if selector.Matches(labels.Set{corev1.LabelMetadataName: namespace, "team": "gateways"}) {
					selected = append(selected, namespace)
				}
			}
			want := []string{"default", "kong", "kong-staging"}
			if set == "namespaced" {
				want = want[1:]
			}
			if diff := cmp.Diff(want, selected); diff != "" {
				t.Errorf("%s: namespaces (-want +got)\n%s", webhook.Name, diff)
			}
			if narrowed := webhook.ObjectSelector != nil; narrowed != (set == "full") {
				t.Errorf("%s: the objectSelector is %v", webhook.Name, webhook.ObjectSelector)
			}
		}
	})
}

// TestOneDefinitionOfExcludedNamespaces proves that the webhooks and the controllers work in the same namespaces, with
// each operator of a selector.
func TestOneDefinitionOfExcludedNamespaces(t *testing.T) {
	check := func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		t.Helper()
		flag := flagOf(controller.arguments(t, objects), "--namespace-selector=")
		controllers, err := scope.New(releaseNamespace, flag)
		if err != nil {
			t.Fatal(err)
		}
		webhook := findMainConfiguration(t, objects).Webhooks[0]
		selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
		if err != nil {
			t.Fatal(err)
		}
		for _, namespace := range []string{"kube-system", releaseNamespace, "kong"} {
			for _, set := range []labels.Set{
				{}, {"team": "gateways"}, {"team": "gateways", "kongdao.example.com/off": ""}, {"team": "other"},
				{"stage": "test", "team": "gateways"}, {"stage": "live", "team": "gateways", "on": "yes"},
			} {
				set[corev1.LabelMetadataName] = namespace
				if called := selector.Matches(set); called == controllers.Excludes(namespace, set) {
					t.Errorf("a namespace with the labels %v: the webhook is called: %v, but the controllers differ", set, called)
				}
			}
		}
		if (flag != "") != (set == "full") {
			t.Errorf("the selector of the controllers is %q", flag)
		}
	}
	forEachSet(t, check)
	check(t, "full", render(t, "--set-json", `webhook.namespaceSelector={"matchExpressions":[`+
		`{"key":"stage","operator":"NotIn","values":["test","old"]},{"key":"team","operator":"In","values":["gateways"]},`+
		`{"key":"on","operator":"Exists"},{"key":"kongdao.example.com/off","operator":"DoesNotExist"}]}`))
}

// flagOf returns the value of a flag in arguments, or "".
func flagOf(arguments []string, name string) string {
	for _, argument := range arguments {
		if value, found := strings.CutPrefix(argument, name); found {
			return value
		}
	}
	return ""
}

// TestOneDefinitionOfExcludedPods proves that the controller knows which pods the webhook is called for.
func TestOneDefinitionOfExcludedPods(t *testing.T) {
	objects := render(t, "--set-json", `webhook.objectSelector={"matchLabels":{"app":"kong"},"matchExpressions":[`+
		`{"key":"stage","operator":"NotIn","values":["test"]}]}`)
	known, err := labels.Parse(flagOf(controller.arguments(t, objects), "--object-selector="))
	if err != nil {
		t.Fatal(err)
	}
	called, err := metav1.LabelSelectorAsSelector(findMainConfiguration(t, objects).Webhooks[0].ObjectSelector)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(called.String(), known.String()); diff != "" {
		t.Errorf("selectors (-webhook +controller)\n%s", diff)
	}
}

// TestNamespaceSelectorNarrows proves that webhook.namespaceSelector narrows the selection, and cannot widen it.
func TestNamespaceSelectorNarrows(t *testing.T) {
	configuration := findMainConfiguration(t, render(t, valueSets(t)["full"]...))
	selector, err := metav1.LabelSelectorAsSelector(configuration.Webhooks[0].NamespaceSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		labels labels.Set
		want   bool
	}{
		{labels.Set{corev1.LabelMetadataName: "kong", "team": "gateways"}, true},
		{labels.Set{corev1.LabelMetadataName: "kong"}, false},
		{labels.Set{corev1.LabelMetadataName: "kong", "team": "gateways", "kongdao.example.com/off": ""}, false},
		{labels.Set{corev1.LabelMetadataName: "kube-system", "team": "gateways"}, false},
	} {
		if got := selector.Matches(test.labels); got != test.want {
			t.Errorf("a namespace with the labels %v is selected: %v, want %v", test.labels, got, test.want)
		}
	}
}
