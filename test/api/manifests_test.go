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

// manifestsVariable names a folder of rendered manifests of Kong's chart.
const manifestsVariable = "KONG_MANIFESTS"

// kongByName is which containers of the chart run Kong (K19, K21).
var kongByName = []string{
	"clear-stale-pid", "wait-for-db", "proxy", "kong-migrations", "kong-upgrade-migrations", "kong-post-upgrade-migrations",
}

// TestChart proves on what Kong's chart renders, through the controllers that
// make its pods, that every container which runs Kong has the plugin and the
// ingress controller nothing of it.
func TestChart(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(manifestsVariable)
	if folder == "" {
		t.Logf("%s is not set: a small Deployment stands for the chart's", manifestsVariable)
		ns := namespace(t)
		daoTest(t, ns)
		create(t, deployment(ns, "kong", asking("dao-test")))
		waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })
		return
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s is %s, where there are no manifests: %v", manifestsVariable, folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			ns := namespace(t)
			daoTest(t, ns)
			create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "kong-kong"}})
			workloads := 0
			for _, object := range manifests(t, file) {
				if kind := object.GetKind(); kind != "Deployment" && kind != "Job" {
					continue
				}
				workloads++
				// A label that is the workload's own finds its pods; the annotation
				// is put where those who use the chart put it: podAnnotations for
				// the gateways, migrations.annotations for the jobs.
				app := strings.ToLower(object.GetKind()) + "-" + object.GetName()
				set(t, object, app, "spec", "template", "metadata", "labels", "app")
				set(t, object, "dao-test", "spec", "template", "metadata", "annotations", annotations.Plugins)
				object.SetNamespace(ns)
				create(t, object)
				made := waitForPod(t, ns, app, func(*corev1.Pod) error { return nil })
				var kong []string
				for _, container := range slices.Concat(made.Spec.InitContainers, made.Spec.Containers) {
					if slices.Contains(kongByName, container.Name) {
						kong = append(kong, container.Name)
					} else if container.Name != "ingress-controller" {
						t.Errorf("%s: container %s is not known to the test", app, container.Name)
					}
				}
				if err := checkInjected(made, "dao-test", kong...); err != nil || len(kong) == 0 {
					t.Errorf("%s: %q: %v", app, kong, err)
				}
			}
			if workloads == 0 {
				t.Error("no workload in it")
			}
		})
	}
}

func set(t *testing.T, object *unstructured.Unstructured, value string, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// manifests reads the objects of a file.
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
