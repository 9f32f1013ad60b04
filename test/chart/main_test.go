// Package chart tests the Helm chart. It renders the chart with the real Helm, for the default values and for each
// value set in the chart's ci folder. It applies the rendered objects to a real API server.
package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// The name and namespace of the release, here and in deploy/kustomize/base.
const (
	release          = "kongdao"
	releaseNamespace = "kongdao-system"
)

// Shared by all tests of this package.
var (
	plane *controlplane.ControlPlane
	admin client.Client
	// helm is the path of Helm's executable.
	helm     = os.Getenv("KONGDAO_HELM")
	chartDir = filepath.Join(installation.ProjectRoot(), "deploy", "helm", "kongdao")
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "--- FAIL: TestMain\n%v\n", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if helm == "" {
		return 0, errors.New("KONGDAO_HELM is not set: run `make test`, " +
			"or set it to the file helm in the folder that `hack/tools/build.sh helm` prints")
	}
	ctrl.SetLogger(logr.Discard()) // Without a logger, controller-runtime prints a warning.
	options := controlplane.Options{Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr}
	plane, err = controlplane.Start(context.Background(), options)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if admin, err = client.New(plane.Config(), client.Options{}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// valueSets returns Helm's flags for each value set: the default values, and each file in the chart's ci folder.
func valueSets(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the chart's ci folder has no value sets: %v", err)
	}
	sets := map[string][]string{"default": nil}
	for _, file := range files {
		sets[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = []string{"--values", file}
	}
	return sets
}

// forEachSet runs a test with the rendered objects of each value set.
func forEachSet(t *testing.T, test func(t *testing.T, set string, objects []*unstructured.Unstructured)) {
	t.Helper()
	sets := valueSets(t)
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		t.Run(set, func(t *testing.T) { test(t, set, render(t, sets[set]...)) })
	}
}

// render returns the objects that Helm renders, including those of helm test.
func render(t *testing.T, flags ...string) []*unstructured.Unstructured {
	t.Helper()
	return decode(t, runHelmOrFail(t, append([]string{"template", release, chartDir}, flags...)...))
}

// runHelm runs a command of Helm in the namespace of the release. It returns Helm's output, or an error with its error
// output.
func runHelm(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	return runProgram(t, helm, slices.Concat(arguments, []string{"--namespace", releaseNamespace})...)
}

// runHelmOrFail is runHelm, and fails the test on an error.
func runHelmOrFail(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := runHelm(t, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// runProgram runs a program with a minimal environment. It returns its output, or an error with its error output.
func runProgram(t *testing.T, program string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	// The settings and the kubeconfig of the user must not affect the tests.
	command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + plane.Kubeconfig()}
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), arguments[0], err, errs.String())
	}
	return out.String(), nil
}
