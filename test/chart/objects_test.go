package chart

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"kongdao.io/kongdao/pkg/policy"
)

// decode decodes the YAML documents of a text. A duplicate key is an error.
func decode(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var objects []*unstructured.Unstructured
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// find returns the only object of a kind, and fails the test if there are none or several.
func find[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) *T {
	t.Helper()
	all := findAll[T](t, objects, kind)
	if len(all) != 1 {
		t.Fatalf("got %d objects of the kind %s, want one", len(all), kind)
	}
	return all[0]
}

// findAll returns all objects of a kind. It fails the test if an object has a field that T does not have.
func findAll[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []*T {
	t.Helper()
	var typed []*T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		into := new(T)
		converter := runtime.DefaultUnstructuredConverter
		if err := converter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
			t.Fatalf("convert %s %s: %v", kind, object.GetName(), err)
		}
		typed = append(typed, into)
	}
	return typed
}

// component is the value of the label app.kubernetes.io/component.
type component string

// The components have a Deployment each.
const (
	webhook    component = "webhook"
	controller component = "controller"
)

// of returns the objects of the component.
func (c component) of(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var own []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetLabels()["app.kubernetes.io/component"] == string(c) {
			own = append(own, object)
		}
	}
	return own
}

// componentsOf returns the components that have a Deployment.
func componentsOf(t *testing.T, objects []*unstructured.Unstructured) []component {
	t.Helper()
	var components []component
	for _, deployment := range findAll[appsv1.Deployment](t, objects, "Deployment") {
		components = append(components, component(deployment.Labels["app.kubernetes.io/component"]))
	}
	return components
}

// podSpec returns the pod spec of the component's Deployment.
func (c component) podSpec(t *testing.T, objects []*unstructured.Unstructured) corev1.PodSpec {
	t.Helper()
	return find[appsv1.Deployment](t, c.of(objects), "Deployment").Spec.Template.Spec
}

// arguments returns the arguments of the component's process, or nil if it has no Deployment.
func (c component) arguments(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	if !slices.Contains(componentsOf(t, objects), c) {
		return nil
	}
	return c.podSpec(t, objects).Containers[0].Args
}

// findMainConfiguration returns the configuration of the webhooks that always exist. The other one is for policies.
func findMainConfiguration(
	t *testing.T, objects []*unstructured.Unstructured,
) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	type configuration = admissionregistrationv1.MutatingWebhookConfiguration
	all := findAll[configuration](t, objects, "MutatingWebhookConfiguration")
	all = slices.DeleteFunc(all, func(one *configuration) bool {
		return strings.HasSuffix(one.Name, policy.ConfigurationSuffix)
	})
	if len(all) != 1 {
		t.Fatalf("got %d MutatingWebhookConfigurations that are not for policies, want one", len(all))
	}
	return all[0]
}

// key identifies an object in maps and messages.
func key(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
}
