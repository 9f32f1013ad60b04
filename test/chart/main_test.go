// Package chart proves what the Helm chart promises: what the real Helm renders
// of it, with the default values and with each set in the chart's ci folder, on
// a real API server.
package chart

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// What the chart is installed as, here and in deploy/kustomize/base.
const (
	release          = "kongdao"
	releaseNamespace = "kongdao-system"
)

// What all tests of this package share.
var (
	plane *controlplane.ControlPlane
	admin client.Client
	// helm is Helm's program.
	helm     = os.Getenv("KONGDAO_HELM")
	chartDir = filepath.Join(installation.Root(), "deploy", "helm", "kongdao")
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if helm == "" {
		return 0, errors.New("no Helm is named: run `make test`, or set KONGDAO_HELM to the program helm in the folder that `hack/tools/build.sh helm` prints")
	}
	ctrl.SetLogger(logr.Discard()) // of this process, whose clients need none
	plane, err = controlplane.Start(context.Background(), controlplane.Options{Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if admin, err = client.New(plane.Config(), client.Options{}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// valueSets are the chart's default values and each set in its ci folder, by
// name.
func valueSets(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no value sets in the chart's ci folder: %v", err)
	}
	sets := map[string][]string{"default": nil}
	for _, file := range files {
		sets[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = []string{"--values", file}
	}
	return sets
}

// forEachSet runs a test on what is rendered with each set of values.
func forEachSet(t *testing.T, test func(t *testing.T, set string, objects []*unstructured.Unstructured)) {
	t.Helper()
	sets := valueSets(t)
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		t.Run(set, func(t *testing.T) { test(t, set, render(t, sets[set]...)) })
	}
}

// render is what Helm makes of the chart, its test included.
func render(t *testing.T, flags ...string) []*unstructured.Unstructured {
	t.Helper()
	out, err := runHelm(t, append([]string{"template", release, chartDir, "--namespace", releaseNamespace}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

// runHelm yields what Helm says, or an error with what it complains of.
func runHelm(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	return runProgram(t, helm, arguments...)
}

func runProgram(t *testing.T, program string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	// Nothing of the environment of who runs the tests, and no kubeconfig of theirs.
	command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + plane.Kubeconfig()}
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), arguments[0], err, errs.String())
	}
	return out.String(), nil
}

// decode reads the objects of a text. A key that is there twice is an error.
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

// find is the one object of a kind, as the type of into.
func find[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) *T {
	t.Helper()
	all := findAll[T](t, objects, kind)
	if len(all) != 1 {
		t.Fatalf("%d objects %s, want one", len(all), kind)
	}
	return all[0]
}

func findAll[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []*T {
	t.Helper()
	var found []*T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		into := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
			t.Fatalf("%s %s: %v", kind, object.GetName(), err)
		}
		found = append(found, into)
	}
	return found
}
