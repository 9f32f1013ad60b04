package chart

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/policycontroller"
	"kongdao.io/kongdao/test/installation"
)

// TestWebhooks proves what the API server is told: no caBundle but one that was
// given, a Service that is there, and neither kube-system nor the release's own
// namespace, whatever the values say.
func TestWebhooks(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		service := find[corev1.Service](t, objects, "Service")
		configuration := mainConfiguration(t, objects)
		if len(configuration.Webhooks) != 2 {
			t.Fatalf("%d webhooks", len(configuration.Webhooks))
		}
		for _, webhook := range configuration.Webhooks {
			called := webhook.ClientConfig
			if given := called.CABundle != nil; given != (set == "files") {
				t.Errorf("%s: caBundle %q", webhook.Name, called.CABundle)
			}
			if called.Service.Name != service.Name || called.Service.Namespace != service.Namespace || *called.Service.Port != service.Spec.Ports[0].Port {
				t.Errorf("%s: calls %+v, and the Service is %s", webhook.Name, called.Service, service.Name)
			}
			selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
			if err != nil {
				t.Fatal(err)
			}
			var seen []string
			for _, namespace := range []string{"kube-system", releaseNamespace, "default", "kong", "kong-staging"} {
				if selector.Matches(labels.Set{corev1.LabelMetadataName: namespace, "team": "gateways"}) {
					seen = append(seen, namespace)
				}
			}
			want := []string{"default", "kong", "kong-staging"}
			if set == "namespaced" {
				want = want[1:]
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("%s: namespaces (-want +got)\n%s", webhook.Name, diff)
			}
			if narrowed := webhook.ObjectSelector != nil; narrowed != (set == "full") {
				t.Errorf("%s: objectSelector %v", webhook.Name, webhook.ObjectSelector)
			}
		}
	})
}

// mainConfiguration is that of the webhooks which are always there.
func mainConfiguration(t *testing.T, objects []*unstructured.Unstructured) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	all := findAll[admissionregistrationv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration")
	all = slices.DeleteFunc(all, func(one *admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return strings.HasSuffix(one.Name, policycontroller.ConfigurationSuffix)
	})
	if len(all) != 1 {
		t.Fatalf("%d MutatingWebhookConfigurations beside that of policies, want one", len(all))
	}
	return all[0]
}

// TestNarrowedNamespaces proves that a selector of one's own comes on top.
func TestNarrowedNamespaces(t *testing.T) {
	configuration := mainConfiguration(t, render(t, valueSets(t)["full"]...))
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
			t.Errorf("%v: %v", test.labels, got)
		}
	}
}

// TestSelectors proves that whatever selects pods selects those of the
// Deployment, that ports which are named are there, and that a pod of the test
// is none of theirs.
func TestSelectors(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		deployment := find[appsv1.Deployment](t, objects, "Deployment")
		pod := labels.Set(deployment.Spec.Template.Labels)
		test := labels.Set(find[corev1.Pod](t, objects, "Pod").Labels)
		selectors := map[string]*metav1.LabelSelector{
			"Deployment": deployment.Spec.Selector,
			"Service":    {MatchLabels: find[corev1.Service](t, objects, "Service").Spec.Selector},
		}
		for _, budget := range findAll[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget") {
			selectors["PodDisruptionBudget"] = budget.Spec.Selector
		}
		for _, policy := range findAll[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy") {
			selectors["NetworkPolicy"] = &policy.Spec.PodSelector
		}
		for _, spread := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
			if spread.TopologyKey == corev1.LabelTopologyZone {
				selectors["spread"] = spread.LabelSelector
			}
		}
		for name, labelSelector := range selectors {
			selector, err := metav1.LabelSelectorAsSelector(labelSelector)
			if err != nil {
				t.Fatal(err)
			}
			if selector.Empty() || !selector.Matches(pod) || selector.Matches(test) {
				t.Errorf("%s selects %v", name, selector)
			}
		}
		ports := map[string]bool{}
		for _, port := range deployment.Spec.Template.Spec.Containers[0].Ports {
			ports[port.Name] = true
		}
		for _, port := range find[corev1.Service](t, objects, "Service").Spec.Ports {
			if !ports[port.TargetPort.String()] {
				t.Errorf("the Service's port %s leads nowhere", port.Name)
			}
		}
		for _, policy := range findAll[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy") {
			for _, rule := range policy.Spec.Ingress {
				for _, port := range rule.Ports {
					if !ports[port.Port.String()] {
						t.Errorf("the NetworkPolicy's port %s is none of the pods'", port.Port)
					}
				}
			}
		}
		if want := set != "bare"; ports["metrics"] != want {
			t.Errorf("a port of metrics: %v", ports["metrics"])
		}
	})
}

// TestNames proves that names which the values make long are still names, and
// that a release by another name stands beside the first, which has brought the
// CRDs of both.
func TestNames(t *testing.T) {
	long := strings.Repeat("long-", 10) + "name" // as long as Helm lets a release's be
	for _, name := range []string{"other", long[:53]} {
		text, err := runHelm(t, "template", name, chartDir, "--namespace", releaseNamespace, "--set=crds.install=false")
		if err != nil {
			t.Fatal(err)
		}
		first := map[string]bool{}
		for _, object := range render(t) {
			first[key(object)] = true
		}
		for _, object := range decode(t, text) {
			if first[key(object)] {
				t.Errorf("release %s has %s, as the first has", name, key(object))
			}
			if length := len(object.GetName()); length > 63 && object.GetKind() == "Service" {
				t.Errorf("Service %s: %d letters", object.GetName(), length)
			}
		}
	}
}

// TestInjection proves of what `helm test` makes that the injection, and nothing
// else, gives its container the variable without which a kubelet does not start
// it.
func TestInjection(t *testing.T) {
	folder := t.TempDir()
	program, err := installation.Build(t.Context(), "kubectl-kongdao", folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := runHelm(t, "template", release, chartDir, "--namespace", releaseNamespace, "--show-only", "templates/tests/injection.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "test.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	injected, err := runProgram(t, program, "inject", "-f", file)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{"before": {text, ""}, "after": {injected, "bundled,kongdao-test"}} {
		container := find[corev1.Pod](t, decode(t, test.text), "Pod").Spec.Containers[0]
		got := ""
		for _, variable := range container.Env {
			if variable.Name == "KONG_PLUGINS" {
				got = variable.Value
			}
		}
		if got != test.want || container.VolumeMounts[0].SubPathExpr != "$(KONG_PLUGINS)" {
			t.Errorf("%s: KONG_PLUGINS is %q, mounts %+v", name, got, container.VolumeMounts)
		}
	}
}

// TestWayOut proves that whoever needs kongdao out of the way reads the names of
// all configurations by which the API server calls it.
func TestWayOut(t *testing.T) {
	sets := valueSets(t)
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		said, err := runHelm(t, append([]string{"install", release, chartDir, "--namespace", releaseNamespace, "--dry-run=client"}, sets[set]...)...)
		if err != nil {
			t.Fatal(err)
		}
		_, command, there := strings.Cut(said, "out of the cluster's way at once:  kubectl delete mutatingwebhookconfiguration ")
		if !there {
			t.Fatalf("the notes name no way out:\n%s", said)
		}
		line, _, _ := strings.Cut(command, "\n")
		var want []string
		for _, one := range findAll[admissionregistrationv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration") {
			want = append(want, one.Name)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(strings.Fields(line)))); diff != "" {
			t.Errorf("(-rendered +said)\n%s", diff)
		}
	})
}

// TestImage proves how the image is named.
func TestImage(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for set, want := range map[string]string{
		"image.tag=":             "kongdao.io/kongdao:0.1.0",
		"image.tag=1.2.3":        "kongdao.io/kongdao:1.2.3",
		"image.digest=" + digest: "kongdao.io/kongdao@" + digest,
		"image.repository=example.com:5000/kongdao": "example.com:5000/kongdao:0.1.0",
	} {
		got := find[appsv1.Deployment](t, render(t, "--set", set), "Deployment").Spec.Template.Spec.Containers[0].Image
		if got != want {
			t.Errorf("%s: %s, want %s", set, got, want)
		}
	}
}

// TestKustomize proves that deploy/kustomize/base is what Helm renders, beside
// the namespace, and nothing that says Helm manages it.
func TestKustomize(t *testing.T) {
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	text, err := runProgram(t, kubectl, "kustomize", filepath.Join(chartDir, "..", "..", "kustomize", "base"))
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]any{}, map[string]any{}
	for _, object := range render(t, "--skip-tests") {
		withoutHelm(t, object.Object)
		want[key(object)] = object.Object
	}
	for _, object := range decode(t, text) {
		got[key(object)] = object.Object
	}
	namespace := "Namespace /" + releaseNamespace
	if got[namespace] == nil {
		t.Errorf("no %s among %v", namespace, slices.Sorted(maps.Keys(got)))
	}
	delete(got, namespace)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-helm +kustomize)\n%s", diff)
	}
}

func withoutHelm(t *testing.T, object map[string]any) {
	t.Helper()
	for name, value := range object {
		inner, isMap := value.(map[string]any)
		switch {
		case slices.Contains([]string{"helm.sh/chart", "app.kubernetes.io/managed-by"}, name):
			delete(object, name)
		case isMap:
			withoutHelm(t, inner)
		}
	}
}

func key(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
}
