package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/wait"
)

// maxWait limits how long a test waits. An idle machine needs a small part of it.
const maxWait = time.Minute

// eventually calls check until it returns no error.
func eventually(t *testing.T, check func(ctx context.Context) error) {
	t.Helper()
	wait.For(t, maxWait, check)
}

// namespace creates a namespace in which pods can be created.
func namespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	create(t, namespace)
	// Without the default service account, the API server denies pods (fact P3).
	account := client.ObjectKey{Namespace: namespace.Name, Name: "default"}
	eventually(t, func(ctx context.Context) error {
		return webhook.Admin.Get(ctx, account, &corev1.ServiceAccount{})
	})
	return namespace.Name
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := webhook.Admin.Create(t.Context(), object); err != nil {
			t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

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
			"handler.lua": "return { PRIORITY = 1, VERSION = \"" + version + "\" }", "schema.lua": "return {}",
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
	create(t, release)
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
	eventually(t, func(ctx context.Context) error {
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
	stdout, _ := runKubectl(t.Context(), t, namespace, arguments...)
	return stdout
}

// kubectlSays is kubectl that returns the messages on standard error, such as warnings.
func kubectlSays(ctx context.Context, t *testing.T, namespace string, arguments ...string) string {
	t.Helper()
	_, stderr := runKubectl(ctx, t, namespace, arguments...)
	return stderr
}

func runKubectl(ctx context.Context, t *testing.T, namespace string, arguments ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, err := tryKubectl(ctx, t, namespace, arguments...)
	if err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(arguments, " "), err, stderr)
	}
	return stdout, stderr
}

func tryKubectl(
	ctx context.Context, t *testing.T, namespace string, arguments ...string,
) (stdout, stderr string, err error) {
	t.Helper()
	flags := []string{"--kubeconfig", plane.Kubeconfig(), "--cache-dir", t.TempDir(), "--namespace", namespace}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	command := exec.CommandContext(ctx, program, append(flags, arguments...)...)
	// Without the environment and the kubeconfig of the user who runs the tests.
	command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// containsLine reports whether a text has a line.
func containsLine(text, line string) bool { return slices.Contains(strings.Split(text, "\n"), line) }

// inParallel calls work for 0 to count-1 with a number of workers. It returns all errors.
func inParallel(workers, count int, work func(i int) error) error {
	jobs, results := make(chan int), make(chan error)
	for range workers {
		go func() {
			for i := range jobs {
				results <- work(i)
			}
		}()
	}
	go func() {
		defer close(jobs)
		for i := range count {
			jobs <- i
		}
	}()
	var all []error
	for range count {
		all = append(all, <-results)
	}
	return errors.Join(all...)
}
