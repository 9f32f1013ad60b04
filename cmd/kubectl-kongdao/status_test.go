package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// statusGoldens is the folder in testdata with recorded states of clusters, and the output of status about them.
const statusGoldens = "status"

// recordedCluster returns a cluster with the objects in a file.
func recordedCluster(t *testing.T, file string) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []client.Object
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		object, _, err := decoder.Decode([]byte(document), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", file, err, document)
		}
		objects = append(objects, object.(client.Object))
	}
	return interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		interceptor.Funcs{List: listByPhase})
}

// listByPhase lists pods by their phase and node. The fake client cannot do this.
func listByPhase(
	ctx context.Context, cluster client.WithWatch, list client.ObjectList, options ...client.ListOption,
) error {
	var applied client.ListOptions
	applied.ApplyOptions(options)
	selector := applied.FieldSelector
	applied.FieldSelector = nil
	if err := cluster.List(ctx, list, &applied); err != nil || selector == nil {
		return err
	}
	known := map[client.ObjectKey]fields.Set{}
	var pods corev1.PodList
	if err := cluster.List(ctx, &pods); err != nil {
		return err
	}
	for i := range pods.Items {
		known[client.ObjectKeyFromObject(&pods.Items[i])] = fields.Set{
			"status.phase": string(pods.Items[i].Status.Phase), "spec.nodeName": pods.Items[i].Spec.NodeName,
		}
	}
	isSelected := func(key client.ObjectKey) bool { return selector.Matches(known[key]) }
	switch pods := list.(type) {
	case *corev1.PodList:
		pods.Items = selected(pods.Items, func(pod *corev1.Pod) bool { return isSelected(client.ObjectKeyFromObject(pod)) })
	case *metav1.PartialObjectMetadataList:
		pods.Items = selected(pods.Items, func(pod *metav1.PartialObjectMetadata) bool {
			return isSelected(client.ObjectKeyFromObject(pod))
		})
	}
	return nil
}

func selected[T any](items []T, isSelected func(*T) bool) []T {
	var kept []T
	for i := range items {
		if isSelected(&items[i]) {
			kept = append(kept, items[i])
		}
	}
	return kept
}

// TestStatus compares the output of status about recorded clusters in all formats with the golden files.
func TestStatus(t *testing.T) {
	folder := filepath.Join("testdata", statusGoldens)
	states, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(states) == 0 {
		t.Fatalf("no recorded states: %v", err)
	}
	expected := map[string]bool{}
	for _, file := range states {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		expected[name+".yaml"] = true
		cluster := recordedCluster(t, file)
		for extension, command := range map[string]statusCommand{
			"table":    {allNamespaces: true},
			"kong":     {namespace: "kong"},
			"wide":     {allNamespaces: true, output: outputWide},
			"out.json": {allNamespaces: true, output: outputJSON},
			"out.yml":  {allNamespaces: true, output: outputYAML},
			"names":    {allNamespaces: true, output: outputName},
		} {
			t.Run(name+" "+extension, func(t *testing.T) {
				var out bytes.Buffer
				command.streams = genericiooptions.IOStreams{Out: &out, ErrOut: &out}
				command.client = cluster
				if err := command.run(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				compareGolden(t, filepath.Join(folder, name+"."+extension), out.String(), "output")
			})
			expected[name+"."+extension] = true
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !expected[file.Name()] {
			t.Errorf("%s belongs to no state", file.Name())
		}
	}
}

// TestStatusOfWorkloads selects workloads by their names.
func TestStatusOfWorkloads(t *testing.T) {
	cluster := recordedCluster(t, filepath.Join("testdata", statusGoldens, "problems.yaml"))
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"one":     {[]string{"deploy/denied"}, "deployment.apps/denied\n"},
		"several": {[]string{"sts/updating", "deployment/denied"}, "statefulset.apps/updating\ndeployment.apps/denied\n"},
		"absent":  {[]string{"ds/denied"}, `ds/denied in namespace "kong" does not exist, or does not request plugins`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			command := &statusCommand{
				streams: genericiooptions.IOStreams{Out: &out, ErrOut: &out}, client: cluster, namespace: "kong",
				output: outputName,
			}
			if err := command.run(t.Context(), test.args); err != nil {
				out.WriteString(err.Error())
			}
			if out.String() != test.want {
				t.Errorf("got %q, want %q", out.String(), test.want)
			}
		})
	}
}

// TestWatchStatus shows the table again after a change, and only then.
func TestWatchStatus(t *testing.T) {
	cluster := recordedCluster(t, filepath.Join("testdata", statusGoldens, "healthy.yaml"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	written := make(chan string, 10)
	command := &statusCommand{
		streams: genericiooptions.IOStreams{Out: writerFunc(func(text string) { written <- text })}, client: cluster,
		namespace: "kong", interval: time.Millisecond,
	}
	ended := make(chan error)
	go func() { ended <- command.follow(ctx, nil) }()
	if first := <-written; !strings.Contains(first, "Ready") {
		t.Errorf("first: %s", first)
	}
	var pods corev1.PodList
	if err := cluster.List(ctx, &pods, client.InNamespace("kong")); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Delete(ctx, &pods.Items[0]); err != nil {
		t.Fatal(err)
	}
	if second := <-written; !strings.Contains(second, "1/1") {
		t.Errorf("after the change: %s", second)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(written) > 0 {
		t.Errorf("the table is shown without a change: %s", <-written)
	}
}

// writerFunc calls a function with each text that is written.
type writerFunc func(text string)

func (f writerFunc) Write(text []byte) (int, error) {
	f(string(text))
	return len(text), nil
}
