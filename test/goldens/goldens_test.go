package goldens_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/test/goldens"
)

// written puts files into a new folder of cases.
func written(t *testing.T, files map[string]string) string {
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
	sources = "# a comment\n---\nkind: ConfigMap\nmetadata: {name: a, namespace: gateways, labels: {kongdao.io/plugin: p}}\ndata:\n  x.lua: |\n    return 1\n" +
		"---\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  y.lua: |\n    return 2\n---\n"
)

// recorder takes down what Cases says instead of failing.
type recorder struct {
	testing.TB
	said strings.Builder
}

func (r *recorder) Errorf(format string, _ ...any) { r.said.WriteString(format) }

func TestCases(t *testing.T) {
	dir := written(t, map[string]string{
		"sources.yaml": sources, "one/pod.yaml": pod, "one/want.yaml": "x: 1\n", "one/warnings.txt": "w\n",
		"two/pod.yaml": pod, "two/sources.yaml": "", "two/denial.txt": "r\n", "fuzz/Fuzz/seed": "",
	})
	cases := goldens.Cases(t, dir)
	if len(cases) != 2 || cases[0].Name != "one" || cases[0].Proves != "something" || cases[0].Namespace != "gateways" {
		t.Fatalf("not the two cases: %+v", cases)
	}
	if diff := cmp.Diff(goldens.Outcome{Pod: "x: 1\n", Warnings: "w\n"}, cases[0].Want); diff != "" {
		t.Error(diff)
	}
	shared := cases[0].Sources
	if len(shared) != 2 || shared[0].Data["x.lua"] != "return 1\n" || shared[1].Namespace != goldens.Namespace {
		t.Errorf("the folder's sources are read as %+v", shared)
	}
	if len(cases[1].Sources) != 0 || cases[1].Want.Denial != "r\n" {
		t.Errorf("the case's own sources are not its own: %+v", cases[1])
	}
	if found := goldens.Catalog(shared).Releases("gateways", "p"); len(found) != 1 {
		t.Errorf("%d releases in the case's namespace, want 1", len(found))
	}
}

// TestCasesUnused proves that a file which no case uses, and a case which
// proves nothing, fail.
func TestCasesUnused(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"beside the cases": {"one/pod.yaml": pod, "want.yaml": ""},
		"in a case":        {"one/pod.yaml": pod, "one/wants.yaml": ""},
		"proves nothing":   {"one/pod.yaml": "metadata: {}\n"},
	} {
		recorder := &recorder{TB: t}
		goldens.Cases(recorder, written(t, files))
		if recorder.said.Len() == 0 {
			t.Errorf("%s: nothing was said", name)
		}
	}
}

func TestUpdate(t *testing.T) {
	dir := written(t, map[string]string{"sources.yaml": sources, "one/pod.yaml": pod, "one/want.yaml": "old\n", "one/warnings.txt": "old\n"})
	denied := goldens.Denied(denial.List{denial.New("B", "b"), denial.New("C", "a")})
	goldens.Cases(t, dir)[0].Update(t, denied)
	want := goldens.Outcome{Denial: "B: b\nC: a\n"}
	if diff := cmp.Diff(want, goldens.Cases(t, dir)[0].Want); diff != "" {
		t.Errorf("what was written is not what is read:\n%s", diff)
	}
}

func TestApply(t *testing.T) {
	object := []byte(`{"a":12345678901234567890}`)
	if got := goldens.Apply(t, object, []string(nil)); string(got) != string(object) {
		t.Errorf("no operations give %s", got)
	}
	type operation map[string]any
	got := goldens.Apply(t, object, []operation{{"op": "add", "path": "/b", "value": []int{1}}, {"op": "add", "path": "/b/-", "value": 2}})
	injected := goldens.Injected(t, got, []string{"z", "y"})
	if diff := cmp.Diff("y\nz\n", injected.Warnings); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(got), `"b":[1,2]`) || !strings.Contains(string(got), "12345678901234567890") {
		t.Errorf("the patch gives %s", got)
	}
}
