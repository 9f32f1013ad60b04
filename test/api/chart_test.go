package api

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"kongdao.io/kongdao/pkg/annotations"
)

// manifestsVariable names the environment variable with a folder of rendered manifests of Kong's chart.
const manifestsVariable = "KONG_MANIFESTS"

// chartKongContainers are the containers of the chart that run Kong: those of the gateway (fact K19) and those of the
// migration Jobs (fact K21).
var chartKongContainers = []string{
	"clear-stale-pid", "wait-for-db", "proxy", "kong-migrations", "kong-upgrade-migrations",
	"kong-post-upgrade-migrations",
}

// TestChart creates the workloads of Kong's chart, and checks that every container that runs Kong has the plugin. The
// ingress controller must not have it.
func TestChart(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(manifestsVariable)
	if folder == "" {
		t.Logf("%s is not set; testing with a small Deployment instead of the chart", manifestsVariable)
		ns := shared.CreateNamespace(t)
		createDAOTest(t, ns)
		shared.Create(t, deployment(ns, "kong", requesting("dao-test")))
		waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })
		return
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s is %q, which has no manifests: %v", manifestsVariable, folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			ns := shared.CreateNamespace(t)
			createDAOTest(t, ns)
			shared.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "kong-kong"}})
			workloads := 0
			for _, object := range manifests(t, file) {
				if kind := object.GetKind(); kind != "Deployment" && kind != "Job" {
					continue
				}
				workloads++
				// The label identifies the pods. The annotation is where the values podAnnotations and migrations.annotations of
				// the chart put it.
				app := strings.ToLower(object.GetKind()) + "-" + object.GetName()
				setField(t, object, app, "spec", "template", "metadata", "labels", "app")
				setField(t, object, "dao-test", "spec", "template", "metadata", "annotations", annotations.Plugins)
				object.SetNamespace(ns)
				shared.Create(t, object)
				created := waitForPod(t, ns, app, func(*corev1.Pod) error { return nil })
				var kong []string
				for _, container := range slices.Concat(created.Spec.InitContainers, created.Spec.Containers) {
					if slices.Contains(chartKongContainers, container.Name) {
						kong = append(kong, container.Name)
					} else if container.Name != "ingress-controller" {
						t.Errorf("%s: the test does not know container %s", app, container.Name)
					}
				}
				if err := checkInjected(created, "dao-test", kong...); err != nil || len(kong) == 0 {
					t.Errorf("%s: %q: %v", app, kong, err)
				}
			}
			if workloads == 0 {
				t.Error("the file has no workload")
			}
		})
	}
}

func setField(t *testing.T, object *unstructured.Unstructured, value string, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// manifests returns the objects of a file.
func manifests(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}
