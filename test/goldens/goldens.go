// Package goldens reads test cases for the injection. The core, the webhook and the kubectl plugin must have the same
// result for each case.
//
// A case is a directory with these files:
//
//	pod.yaml      the pod; the first line is "# proves: " and a sentence about the purpose of the case
//	sources.yaml  the ConfigMaps of the case; the default is sources.yaml in the parent directory
//	want.yaml     the injected pod; missing if the pod is denied
//	denial.txt    the denials, one "Reason: message" per line, sorted; missing if the pod is not denied
//	warnings.txt  the warnings, one per line; missing if there are none
package goldens

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The files of a case.
const (
	podFile      = "pod.yaml"
	sourcesFile  = "sources.yaml"
	wantFile     = "want.yaml"
	warningsFile = "warnings.txt"
	denialFile   = "denial.txt"
)

// Namespace is the namespace of pods and ConfigMaps that have none.
const Namespace = "kong"

// Case is a pod with its sources and the expected result.
type Case struct {
	// Dir is the path of the case's directory, and Name the last element of the path.
	Name, Dir string
	// Proves is the sentence about the purpose of the case.
	Proves string
	// Namespace is the pod's namespace.
	Namespace string
	// Pod is the pod in JSON.
	Pod []byte
	// Sources are the ConfigMaps in the order of the file.
	Sources []*corev1.ConfigMap
	// Want is the expected result.
	Want Outcome
}

// Outcome is the result of an injection in a readable form.
type Outcome struct {
	// Pod is the injected pod in YAML. It is empty if the pod is denied.
	Pod string
	// Warnings and Denial have one sorted message per line.
	Warnings, Denial string
}

// Cases reads all cases in dir. It fails the test if a file does not belong to a case, because this file would prove
// nothing.
func Cases(t testing.TB, dir string) []Case {
	t.Helper()
	var cases []Case
	for _, entry := range entries(t, dir) {
		switch {
		case entry.IsDir():
			cases = append(cases, readCase(t, filepath.Join(dir, entry.Name())))
		case entry.Name() != sourcesFile:
			t.Errorf("%s: the file %q belongs to no case", dir, entry.Name())
		}
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", dir)
	}
	return cases
}

func readCase(t testing.TB, dir string) Case {
	t.Helper()
	for _, entry := range entries(t, dir) {
		if !slices.Contains([]string{podFile, sourcesFile, wantFile, warningsFile, denialFile}, entry.Name()) {
			t.Errorf("%s: unknown file %q", dir, entry.Name())
		}
	}
	text := readFile(t, filepath.Join(dir, podFile))
	firstLine, _, _ := strings.Cut(text, "\n")
	proves, ok := strings.CutPrefix(firstLine, "# proves: ")
	if !ok {
		t.Errorf("%s: the first line of %s must begin with \"# proves: \"", dir, podFile)
	}
	pod, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("%s: %s: %v", dir, podFile, err)
	}
	return Case{
		Name: filepath.Base(dir), Dir: dir, Proves: proves,
		Namespace: podNamespace(t, pod), Pod: pod, Sources: readSources(t, dir),
		Want: Outcome{
			Pod:      readFile(t, filepath.Join(dir, wantFile)),
			Warnings: readFile(t, filepath.Join(dir, warningsFile)),
			Denial:   readFile(t, filepath.Join(dir, denialFile)),
		},
	}
}

func podNamespace(t testing.TB, pod []byte) string {
	t.Helper()
	var object struct {
		Metadata struct {
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(pod, &object); err != nil {
		t.Fatal(err)
	}
	if object.Metadata.Namespace == "" {
		return Namespace
	}
	return object.Metadata.Namespace
}

// readSources reads the sources of the case, or those in the parent directory if the case has none.
func readSources(t testing.TB, dir string) []*corev1.ConfigMap {
	t.Helper()
	path := filepath.Join(dir, sourcesFile)
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(filepath.Dir(dir), sourcesFile)
	}
	return ConfigMaps(t, path)
}

// entries lists a directory without the fuzzing corpora, which go test stores in the same directory.
func entries(t testing.TB, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(entry os.DirEntry) bool { return entry.IsDir() && entry.Name() == "fuzz" })
}

// readFile returns the contents of a file, or an empty string if the file does not exist.
func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
