package goldens_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/test/goldens"
)

// writeCases writes files to a new directory and returns its path.
func writeCases(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	pod     = "# proves: something\nmetadata: {name: x, namespace: gateways}\n"
	sources = `# a comment
---
kind: ConfigMap
metadata: {name: a, namespace: gateways, labels: {kongdao.io/plugin: p}}
data:
  x.lua: |
    return 1
---
kind: ConfigMap
metadata: {name: b}
data:
  y.lua: |
    return 2
---
`
)

// errorRecorder records errors instead of failing the test.
type errorRecorder struct {
	testing.TB
	errors []string
}

func (r *errorRecorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestCasesReadsAllFiles(t *testing.T) {
	dir := writeCases(t, map[string]string{
		"sources.yaml": sources, "one/pod.yaml": pod, "one/want.yaml": "x: 1\n", "one/warnings.txt": "w\n",
		"two/pod.yaml": pod, "two/sources.yaml": "", "two/denial.txt": "r\n", "fuzz/Fuzz/seed": "",
	})
	cases := goldens.Cases(t, dir)
	if len(cases) != 2 || cases[0].Name != "one" || cases[0].Proves != "something" || cases[0].Namespace != "gateways" {
		t.Fatalf("read %+v, want the cases \"one\" and \"two\"", cases)
	}
	if diff := cmp.Diff(goldens.Outcome{Pod: "x: 1\n", Warnings: "w\n"}, cases[0].Want); diff != "" {
		t.Error(diff)
	}
	shared := cases[0].Sources
	if len(shared) != 2 || shared[0].Data["x.lua"] != "return 1\n" || shared[1].Namespace != goldens.Namespace {
		t.Errorf("read %+v from sources.yaml in the parent directory, want two ConfigMaps", shared)
	}
	if len(cases[1].Sources) != 0 || cases[1].Want.Denial != "r\n" {
		t.Errorf("read case %+v, want no sources and the denial \"r\"", cases[1])
	}
	if found := goldens.Catalog(shared).Releases("gateways", "p"); len(found) != 1 {
		t.Errorf("found %d releases in the case's namespace, want 1", len(found))
	}
}

// TestCasesWithoutAPurposeFail proves that the test fails for a file of no case, and for a case without its sentence.
func TestCasesWithoutAPurposeFail(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"file outside of cases":  {"one/pod.yaml": pod, "want.yaml": ""},
		"unknown file in a case": {"one/pod.yaml": pod, "one/wants.yaml": ""},
		"case without a purpose": {"one/pod.yaml": "metadata: {}\n"},
	} {
		recorder := &errorRecorder{TB: t}
		goldens.Cases(recorder, writeCases(t, files))
		if len(recorder.errors) == 0 {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestUpdateReplacesTheExpectedResult(t *testing.T) {
	dir := writeCases(t, map[string]string{
		"sources.yaml": sources, "one/pod.yaml": pod, "one/want.yaml": "old\n", "one/warnings.txt": "old\n",
	})
	denied := goldens.Denied(denial.List{denial.New("B", "b"), denial.New("C", "a")})
	goldens.Cases(t, dir)[0].Update(t, denied)
	want := goldens.Outcome{Denial: "B: b\nC: a\n"}
	if diff := cmp.Diff(want, goldens.Cases(t, dir)[0].Want); diff != "" {
		t.Errorf("read another result than was written (-written +read):\n%s", diff)
	}
}

func TestApplyKeepsOtherFields(t *testing.T) {
	object := []byte(`{"a":12345678901234567890}`)
	if got := goldens.Apply(t, object, []string(nil)); string(got) != string(object) {
		t.Errorf("without operations, the object is %s", got)
	}
	type operation map[string]any
	got := goldens.Apply(t, object, []operation{
		{"op": "add", "path": "/b", "value": []int{1}},
		{"op": "add", "path": "/b/-", "value": 2},
	})
	injected := goldens.Injected(t, got, []string{"z", "y"})
	if diff := cmp.Diff("y\nz\n", injected.Warnings); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(got), `"b":[1,2]`) || !strings.Contains(string(got), "12345678901234567890") {
		t.Errorf("the patched object is %s", got)
	}
}
