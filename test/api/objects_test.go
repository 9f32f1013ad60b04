package api

import (
	"encoding/json"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// unique returns a name that no other test and no other run uses. Objects without a namespace need it.
func unique(name string) string { return name + "-" + string(uuid.NewUUID())[:8] }

// source returns a ConfigMap with the smallest plugin that Kong can load.
func source(namespace, plugin string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "plugin-" + strings.ToLower(plugin),
			Labels: map[string]string{annotations.Plugin: plugin},
		},
		Immutable: new(true),
		Data: map[string]string{
			"handler.lua": "return { PRIORITY = 1, VERSION = \"1.0.0\" }", "schema.lua": "return { fields = {} }",
		},
	}
}

// createDAOTest creates the source of the plugin dao-test with its migrations. The keys are module names.
func createDAOTest(t *testing.T, namespace string) {
	t.Helper()
	daoTest := source(namespace, "dao-test")
	daoTest.Data = map[string]string{}
	files, err := fixtures.PluginFiles()
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range files {
		daoTest.Data[strings.ReplaceAll(path, "/", ".")] = string(content)
	}
	shared.Create(t, daoTest)
}

// pod returns a pod with a Kong container that requests plugins.
func pod(namespace, name, plugins string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Annotations: map[string]string{annotations.Plugins: plugins},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
	}
}

// plainPod returns a pod that requests nothing.
func plainPod(namespace, name string) *corev1.Pod {
	plain := pod(namespace, name, "")
	plain.Annotations = nil
	return plain
}

// ownedPod returns a pod as the controller of a ReplicaSet creates it.
func ownedPod(namespace, owner, plugins string) *corev1.Pod {
	owned := pod(namespace, owner+"-pod", plugins)
	owned.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: owner, UID: uuid.NewUUID(), Controller: new(true),
	}}
	return owned
}

// kongContainers are the containers of gatewayTemplate that run Kong.
var kongContainers = []string{"clear-stale-pid", "wait-for-db", "proxy"}

// gatewayTemplate returns a pod template like the one of Kong's chart, without annotations. Its label app has the given
// value.
func gatewayTemplate(app string) corev1.PodTemplateSpec {
	kong := []corev1.EnvVar{
		{Name: "KONG_DATABASE", Value: "postgres"}, {Name: "KONG_LUA_PACKAGE_PATH", Value: "/opt/?.lua;/opt/?/init.lua;;"},
	}
	controller := []corev1.EnvVar{{Name: "CONTROLLER_KONG_ADMIN_URL", Value: "https://localhost:8444"}}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{
				{Name: "clear-stale-pid", Image: "kong:3.9", Command: []string{"rm", "-vrf", "$KONG_PREFIX/pids"}, Env: kong},
				{Name: "wait-for-db", Image: "kong:3.9", Env: kong},
			},
			Containers: []corev1.Container{
				{Name: "ingress-controller", Image: "kong/kubernetes-ingress-controller:3.5", Env: controller},
				{Name: "proxy", Image: "kong:3.9", Env: kong},
			},
		},
	}
}

// annotatedTemplate returns a gatewayTemplate that requests plugins.
func annotatedTemplate(app, plugins string) corev1.PodTemplateSpec {
	template := gatewayTemplate(app)
	template.Annotations = requesting(plugins)
	return template
}

// deployment returns a Deployment with annotations. Its pod template is a gatewayTemplate.
func deployment(namespace, app string, annotations map[string]string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app, Annotations: annotations},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
			Template: gatewayTemplate(app),
		},
	}
}

// requesting returns annotations that request plugins.
func requesting(plugins string) map[string]string {
	return map[string]string{annotations.Plugins: plugins}
}

// manifestOf returns an object as a manifest.
func manifestOf(t *testing.T, object client.Object) string {
	t.Helper()
	kind, err := webhook.Admin.GroupVersionKindFor(object)
	if err != nil {
		t.Fatal(err)
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantText fails the test for every part that the text does not contain.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in: %s", part, text)
		}
	}
}
