package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/configmaps"
)

// clusterGoldens is the folder in testdata with the golden files of TestClusterCommands.
const clusterGoldens = "cluster"

// publishedRelease returns a source of plugin "dao-test" with a list of migrations.
func publishedRelease(version, migrations string) *corev1.ConfigMap {
	source := configmaps.Versioned(configmaps.Source("kong", "dao-test-"+version, "dao-test"), version)
	source.Data["migrations.init.lua"] = "return { " + migrations + " }"
	for _, name := range []string{"000_base", "001_next"} {
		source.Data["migrations."+name+".lua"] = `return { postgres = { up = "SELECT 1" } }`
	}
	return source
}

// requestingWorkload returns a Deployment with a complete rollout, and a pin.
func requestingWorkload(name, plugins, pins string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
				annotations.Plugins: plugins, annotations.Releases: pins,
			}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
		}},
		Status: appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2},
	}
}

// fakeCluster returns a cluster with two releases and two Deployments. One of them can be rolled back to 0.9.0.
func fakeCluster(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	moved := requestingWorkload("moved", "dao-test", "dao-test@1.1.0")
	moved.Annotations = map[string]string{annotations.PreviousReleases: "dao-test@1.0.0"}
	failed := &v1alpha1.PluginMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "dao-test-1"},
		Spec:       v1alpha1.PluginMigrationSpec{Plugins: []v1alpha1.PluginMigrations{{Name: "dao-test", Version: "0.8.0"}}},
		Status:     v1alpha1.PluginMigrationStatus{Phase: v1alpha1.PhaseFailed},
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		publishedRelease("0.7.0", `"000_base"`), publishedRelease("0.8.0", `"000_base"`),
		publishedRelease("0.9.0", `"000_base"`), publishedRelease("1.0.0", `"000_base"`),
		publishedRelease("1.1.0", `"000_base", "001_next"`), moved, failed,
		requestingWorkload("kong", "dao-test", "dao-test@1.0.0"), requestingWorkload("fixed", "dao-test@0.9.0", ""),
	).Build()
}

// TestClusterCommands compares the output of the commands that connect to a cluster with the golden files in
// testdata/cluster, and checks the pins afterwards.
func TestClusterCommands(t *testing.T) {
	var out bytes.Buffer
	streams := genericiooptions.IOStreams{Out: &out, ErrOut: &out}
	move := func(options moveOptions, run func(*mover) error) func(client.Client) error {
		options.timeout = time.Second
		return func(cluster client.Client) error {
			return run(&mover{streams: streams, client: cluster, namespace: "kong", options: options})
		}
	}
	ctx := context.Background()
	tests := map[string]struct {
		run func(client.Client) error
		pin string // of the Deployment "kong"
	}{
		"upgrade": {move(moveOptions{wait: true}, func(m *mover) error {
			return m.upgrade(ctx, []string{"deployment/kong"})
		}), "dao-test@1.1.0"},
		"upgrade-to-version": {move(moveOptions{}, func(m *mover) error {
			return m.upgrade(ctx, []string{"deploy/kong", "dao-test@0.9.0"})
		}), "dao-test@0.9.0"},
		"upgrade-all": {move(moveOptions{all: true, wait: true}, func(m *mover) error { return m.upgrade(ctx, nil) }),
			"dao-test@1.1.0"},
		"upgrade-unknown": {move(moveOptions{}, func(m *mover) error {
			return m.upgrade(ctx, []string{"deployment/kong", "dao-test@7.0.0", "other"})
		}), "dao-test@1.0.0"},
		"upgrade-requested-version": {move(moveOptions{}, func(m *mover) error {
			return m.upgrade(ctx, []string{"deployment/fixed", "dao-test"})
		}), "dao-test@1.0.0"},
		"rollback": {move(moveOptions{wait: true}, func(m *mover) error {
			return m.rollback(ctx, []string{"deployment/moved"})
		}), "dao-test@1.0.0"},
		"rollback-nothing": {move(moveOptions{}, func(m *mover) error {
			return m.rollback(ctx, []string{"deployment/kong"})
		}), "dao-test@1.0.0"},
		"prune": {func(cluster client.Client) error {
			return (&pruner{streams: streams, client: cluster, namespace: "kong", keep: 1}).run(ctx, nil)
		}, "dao-test@1.0.0"},
		"prune-unknown": {func(cluster client.Client) error {
			return (&pruner{streams: streams, client: cluster, namespace: "kong", keep: 1}).run(ctx, []string{"other"})
		}, "dao-test@1.0.0"},
	}
	files, err := os.ReadDir(filepath.Join("testdata", clusterGoldens))
	if err != nil || len(files) != len(tests) {
		t.Errorf("there are %d golden files for %d tests: %v", len(files), len(tests), err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out.Reset()
			cluster := fakeCluster(t)
			if err := test.run(cluster); err != nil {
				out.WriteString(errorText(err))
			}
			file := filepath.Join("testdata", clusterGoldens, name+".txt")
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("output (-want +got)\n%s", diff)
			}
			var kong appsv1.Deployment
			if err := cluster.Get(ctx, client.ObjectKey{Namespace: "kong", Name: "kong"}, &kong); err != nil {
				t.Fatal(err)
			}
			if got := kong.Spec.Template.Annotations[annotations.Releases]; got != test.pin {
				t.Errorf("the Deployment has %q, want %q", got, test.pin)
			}
		})
	}
}
