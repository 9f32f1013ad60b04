// Package goldens reads the cases that every way to an injection must decide
// alike: the core, the webhook and the kubectl plugin.
//
// A case is a folder:
//
//	pod.yaml      the pod; its first line says "# proves: ..."
//	sources.yaml  the ConfigMaps beside it; without the file, those of the folder above
//	want.yaml     the pod after the injection, or
//	denial.txt   why there is none: one "Reason: message" a line, sorted
//	warnings.txt  one warning a line, where there are any
package goldens

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
)

// The files that a case may hold.
const (
	podFile      = "pod.yaml"
	sourcesFile  = "sources.yaml"
	wantFile     = "want.yaml"
	warningsFile = "warnings.txt"
	denialFile   = "denial.txt"
)

// Namespace is that of pods and ConfigMaps which name none.
const Namespace = "kong"

// Case is a pod, the sources beside it and what must come of them.
type Case struct {
	// Name is the folder's, Dir its path.
	Name, Dir string
	// Proves is the sentence that says what the case is there for.
	Proves string
	// Namespace is the pod's.
	Namespace string
	// Pod is the pod's JSON.
	Pod []byte
	// Sources are the ConfigMaps, in the order of the file.
	Sources []*corev1.ConfigMap
	// Want is what the core must make of it.
	Want Outcome
}

// Outcome is what an injection makes of a pod, as people read it.
type Outcome struct {
	// Pod is the injected pod as YAML, "" for a denial.
	Pod string
	// Warnings and Denial hold one sentence a line, sorted.
	Warnings, Denial string
}

// Cases reads every case in dir. A file that no case uses fails the test: it
// would prove nothing.
func Cases(t testing.TB, dir string) []Case {
	t.Helper()
	var cases []Case
	for _, entry := range entries(t, dir) {
		switch {
		case entry.IsDir():
			cases = append(cases, read(t, filepath.Join(dir, entry.Name())))
		case entry.Name() != sourcesFile:
			t.Errorf("%s: no case uses the file %q", dir, entry.Name())
		}
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no case", dir)
	}
	return cases
}

func read(t testing.TB, dir string) Case {
	t.Helper()
	for _, entry := range entries(t, dir) {
		if !slices.Contains([]string{podFile, sourcesFile, wantFile, warningsFile, denialFile}, entry.Name()) {
			t.Errorf("%s: a case has no file %q", dir, entry.Name())
		}
	}
	text := file(t, filepath.Join(dir, podFile))
	first, _, _ := strings.Cut(text, "\n")
	proves, ok := strings.CutPrefix(first, "# proves: ")
	if !ok {
		t.Errorf("%s: the first line of %s must say \"# proves: ...\"", dir, podFile)
	}
	pod, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("%s: %s: %v", dir, podFile, err)
	}
	read := Case{Name: filepath.Base(dir), Dir: dir, Proves: proves, Namespace: namespaceOf(t, pod), Pod: pod, Sources: sources(t, dir)}
	read.Want = Outcome{
		Pod:      file(t, filepath.Join(dir, wantFile)),
		Warnings: file(t, filepath.Join(dir, warningsFile)),
		Denial:   file(t, filepath.Join(dir, denialFile)),
	}
	return read
}

func namespaceOf(t testing.TB, pod []byte) string {
	t.Helper()
	var named struct {
		Metadata struct {
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(pod, &named); err != nil {
		t.Fatal(err)
	}
	if named.Metadata.Namespace == "" {
		return Namespace
	}
	return named.Metadata.Namespace
}

// sources reads the case's own sources, else those that all cases share.
func sources(t testing.TB, dir string) []*corev1.ConfigMap {
	t.Helper()
	path := filepath.Join(dir, sourcesFile)
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(filepath.Dir(dir), sourcesFile)
	}
	return ConfigMaps(t, path)
}

// ConfigMaps reads a file of ConfigMaps, several documents in one file.
func ConfigMaps(t testing.TB, path string) []*corev1.ConfigMap {
	t.Helper()
	var read []*corev1.ConfigMap
	for document := range strings.SplitSeq("\n"+file(t, path), "\n---\n") {
		document += "\n" // that of a block which ends the document
		if len(bytes.TrimSpace([]byte(document))) == 0 {
			continue
		}
		configMap := &corev1.ConfigMap{}
		if err := yaml.UnmarshalStrict([]byte(document), configMap); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if configMap.Kind == "" { // only comments
			continue
		}
		if configMap.Namespace == "" {
			configMap.Namespace = Namespace
		}
		read = append(read, configMap)
	}
	return read
}

// Catalog returns the releases that the ConfigMaps hold.
func Catalog(configMaps []*corev1.ConfigMap) *catalog.Index {
	index := &catalog.Index{}
	for _, configMap := range configMaps {
		index.Put(catalog.NewSource(configMap))
	}
	return index
}

// Admit decides about the pod of the case, without policies.
func (c Case) Admit(t testing.TB) decision.Decision {
	t.Helper()
	view, err := mutate.DecodePod(c.Pod)
	if err != nil {
		t.Fatalf("%s: %v\n%s", c.Name, err, c.Pod)
	}
	return Admit(t, c.Namespace, view, Catalog(c.Sources))
}

// Admit decides about a pod, without policies.
func Admit(t testing.TB, namespace string, view mutate.Pod, index *catalog.Index) decision.Decision {
	t.Helper()
	admitted, err := decision.Admit(
		decision.Pod{Namespace: namespace, View: view}, decision.Cluster{Releases: index.Releases})
	if err != nil {
		t.Fatal(err)
	}
	return admitted
}

// entries lists a folder without the corpora that go test keeps beside cases.
func entries(t testing.TB, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(entry os.DirEntry) bool { return entry.IsDir() && entry.Name() == "fuzz" })
}

// file reads a file, "" where there is none.
func file(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
