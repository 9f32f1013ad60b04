package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
)

func get(t *testing.T, object client.Object) {
	t.Helper()
	if err := webhook.Admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, object client.Object) {
	t.Helper()
	if err := webhook.Admin.Delete(t.Context(), object); err != nil {
		t.Fatalf("delete %T %s: %v", object, object.GetName(), err)
	}
}

// source creates a release of a plugin. The migrations are pairs: a name and the content of its file.
func source(t *testing.T, namespace, plugin, version string, migrations ...string) {
	t.Helper()
	release := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: plugin + "-" + version,
			Labels: map[string]string{annotations.Plugin: plugin, annotations.PluginVersion: version},
		},
		Immutable: new(true),
		Data: map[string]string{
			"handler.lua": "return { PRIORITY = 1, VERSION = \"" + version + "\" }", "schema.lua": "return { fields = {} }",
		},
	}
	var names []string
	for pair := range slices.Chunk(migrations, 2) {
		names = append(names, fmt.Sprintf("%q", pair[0]))
		release.Data["migrations."+pair[0]+".lua"] = "return { postgres = { up = [[" + pair[1] + "]] } }"
	}
	if len(names) > 0 {
		release.Data["migrations.init.lua"] = "return { " + strings.Join(names, ", ") + " }"
	}
	shared.Create(t, release)
}

// The migrations of the releases of dao-test.
const (
	base = "000_base_my_plugin"
	next = "001_100_to_110"
)

// daoTest creates the releases 1.0.0 and 1.1.0 of the plugin dao-test.
func daoTest(t *testing.T, namespace string) {
	t.Helper()
	source(t, namespace, "dao-test", "1.0.0", base, "CREATE")
	source(t, namespace, "dao-test", "1.1.0", base, "CREATE", next, "ALTER")
}

// pod returns a pod with a Kong container that has a database, and with an annotation that requests plugins.
func pod(namespace, name, plugins string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Annotations: map[string]string{annotations.Plugins: plugins},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "proxy", Image: "kong:3.9", Env: []corev1.EnvVar{{Name: "KONG_PG_HOST", Value: "postgres"}},
		}}},
	}
}

// onDatabase sets the database of a pod.
func onDatabase(pod *corev1.Pod, database string) *corev1.Pod {
	container := &pod.Spec.Containers[0]
	container.Env = append(container.Env, corev1.EnvVar{Name: "KONG_PG_DATABASE", Value: database})
	return pod
}

// deployment returns a Deployment of such pods with dao-test 1.0.0. Their label app is its name.
func deployment(namespace, name string, replicas int32) *appsv1.Deployment {
	template := pod(namespace, name, "dao-test@1.0.0")
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}, Annotations: template.Annotations},
				Spec:       template.Spec,
			},
		},
	}
}

// change reads an object and updates it.
func change[T client.Object](t *testing.T, object T, update func(T)) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		update(object)
		return webhook.Admin.Update(ctx, object)
	})
}

// kubectl runs kubectl as an administrator and returns what it prints. It fails the test if kubectl fails.
func kubectl(t *testing.T, namespace string, arguments ...string) string {
	t.Helper()
	return shared.MustKubectl(t, namespace, "", arguments...).Stdout
}

// kubectlWarnings is like kubectl, but returns what kubectl prints on standard error.
func kubectlWarnings(ctx context.Context, t *testing.T, namespace string, arguments ...string) string {
	t.Helper()
	arguments = append([]string{"--namespace", namespace}, arguments...)
	output := cluster.RunKubectl(ctx, t, plane.Kubeconfig(), "", arguments...)
	if output.Failed {
		t.Fatalf("kubectl %s failed: %s", strings.Join(arguments, " "), output.Stderr)
	}
	return output.Stderr
}

// containsLine reports whether a text has a line.
func containsLine(text, line string) bool { return slices.Contains(strings.Split(text, "\n"), line) }
