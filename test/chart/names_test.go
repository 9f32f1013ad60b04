package chart

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// TestSelectorsMatchOnlyThePods proves that every selector of a component matches the pods of its Deployment, and not
// those of the other Deployment or of helm test.
func TestSelectorsMatchOnlyThePods(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		testPod := labels.Set(find[corev1.Pod](t, objects, "Pod").Labels)
		pods := map[component]labels.Set{}
		for _, component := range componentsOf(t, objects) {
			deployment := find[appsv1.Deployment](t, component.of(objects), "Deployment")
			pods[component] = deployment.Spec.Template.Labels
		}
		for own := range pods {
			for name, labelSelector := range selectorsOf(t, own.of(objects)) {
				selector, err := metav1.LabelSelectorAsSelector(labelSelector)
				if err != nil {
					t.Fatal(err)
				}
				for component, pod := range pods {
					if selector.Empty() || selector.Matches(pod) != (component == own) || selector.Matches(testPod) {
						t.Errorf("the selector of the %s is %v, want one that matches only the pods of the %s", name, selector, own)
					}
				}
			}
		}
	})
}

// selectorsOf returns the selectors of a component for its pods, by the kind of the object that has them.
func selectorsOf(t *testing.T, objects []*unstructured.Unstructured) map[string]*metav1.LabelSelector {
	t.Helper()
	deployment := find[appsv1.Deployment](t, objects, "Deployment")
	selectors := map[string]*metav1.LabelSelector{"Deployment": deployment.Spec.Selector}
	for _, service := range findAll[corev1.Service](t, objects, "Service") {
		selectors["Service"] = &metav1.LabelSelector{MatchLabels: service.Spec.Selector}
	}
	for _, budget := range findAll[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget") {
		selectors["PodDisruptionBudget"] = budget.Spec.Selector
	}
	for _, policy := range findAll[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy") {
		selectors["NetworkPolicy"] = &policy.Spec.PodSelector
	}
	for _, spread := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		if spread.TopologyKey == corev1.LabelTopologyZone {
			selectors["topology spread constraint"] = spread.LabelSelector
		}
	}
	return selectors
}

// TestPortNamesExist proves that the Services and the NetworkPolicies use names of ports that their containers have.
func TestPortNamesExist(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		for _, component := range componentsOf(t, objects) {
			own := component.of(objects)
			ports := map[string]bool{}
			for _, port := range component.podSpec(t, objects).Containers[0].Ports {
				ports[port.Name] = true
			}
			for _, port := range find[corev1.Service](t, own, "Service").Spec.Ports {
				if !ports[port.TargetPort.String()] {
					t.Errorf("the port %s of the Service targets %s, which does not exist", port.Name, port.TargetPort.String())
				}
			}
			for _, policy := range findAll[networkingv1.NetworkPolicy](t, own, "NetworkPolicy") {
				for _, rule := range policy.Spec.Ingress {
					for _, port := range rule.Ports {
						if !ports[port.Port.String()] {
							t.Errorf("the NetworkPolicy allows the port %s, which does not exist", port.Port)
						}
					}
				}
			}
			if want := set != "bare"; ports["metrics"] != want {
				t.Errorf("the %s has a metrics port: %v, want %v", component, ports["metrics"], want)
			}
		}
	})
}

// TestReleasesDoNotCollide proves that two releases in one namespace share no object name, except the CRDs, and that
// the longest possible release name gives a valid Service name.
func TestReleasesDoNotCollide(t *testing.T) {
	longest := (strings.Repeat("long-", 10) + "name")[:53] // Helm allows 53 characters.
	for _, name := range []string{"other", longest} {
		first := map[string]bool{}
		for _, object := range render(t) {
			first[key(object)] = true
		}
		for _, object := range decode(t, runHelmOrFail(t, "template", name, chartDir, "--set=crds.install=false")) {
			if first[key(object)] {
				t.Errorf("the releases %s and %s both have %s", release, name, key(object))
			}
			if length := len(object.GetName()); length > 63 && object.GetKind() == "Service" {
				t.Errorf("the name of the Service %s has %d characters, want 63 at most", object.GetName(), length)
			}
		}
	}
}

// TestImageReference proves that a digest replaces the tag, and that the tag defaults to the appVersion.
func TestImageReference(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for set, want := range map[string]string{
		"image.tag=":             "kongdao.io/kongdao:0.1.0",
		"image.tag=1.2.3":        "kongdao.io/kongdao:1.2.3",
		"image.digest=" + digest: "kongdao.io/kongdao@" + digest,
		"image.repository=example.com:5000/kongdao": "example.com:5000/kongdao:0.1.0",
	} {
		objects := render(t, "--set", set)
		for _, component := range componentsOf(t, objects) {
			if got := component.podSpec(t, objects).Containers[0].Image; got != want {
				t.Errorf("%s: the image of the %s is %s, want %s", set, component, got, want)
			}
		}
	}
}
