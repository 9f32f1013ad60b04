package manifest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadFindsObjects(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   []string // the line, kind and name of each object
	}{
		"empty":    {reason: "it has no document", text: ""},
		"comments": {reason: "they are not objects", text: "# a\n---\n# b\n---\n"},
		"several documents": {
			"lines count from the start of the file", "kind: A\n---\n\n# c\nkind: B\n--- # d\nkind: C\n",
			[]string{"1 A ", "5 B ", "7 C "},
		},
		"separator first": {"no document comes before it", "---\nkind: A\n", []string{"2 A "}},
		"in a block":      {"indented dashes are text", "kind: A\nx: |\n  ---\n  kind: B\n", []string{"1 A "}},
		"directives":      {"they are not objects", "%YAML 1.2\n---\nkind: A\n", []string{"3 A "}},
		"other values":    {"lists and scalars are not objects", "- a\n---\nword\n---\n~\n", nil},
		"list": {
			"its items are objects",
			"kind: List\nitems:\n- kind: A\n- kind: List\n  items:\n  - kind: B\n    metadata: {name: b}\n",
			[]string{"3 A ", "6 B b"},
		},
		"typed list": {
			"its items can omit their kind", "kind: PodList\nitems:\n- metadata: {name: a}\n",
			[]string{"3 Pod a"},
		},
		"list of nulls": {"null items are not objects", "kind: List\nitems:\n-\n- ~\n", nil},
		"kind with items": {
			"a kind that is not a list can have items", "kind: Menu\nitems:\n- kind: A\n",
			[]string{"1 Menu "},
		},
		"JSON": {
			"lines count in JSON too", "{\"kind\": \"List\",\n\"items\": [\n{\"kind\": \"A\"},\n\n{\"kind\": \"B\"}]}",
			[]string{"3 A ", "5 B "},
		},
		"aliases": {
			"an alias has the value of its anchor", "x: &x {name: obj}\nkind: A\nmetadata: *x\n",
			[]string{"1 A obj"},
		},
		"carriage returns": {"a separator can end with one", "kind: A\r\n---\r\nkind: B\r\n", []string{"1 A ", "3 B "}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			documents, err := Read("x.yaml", []byte(test.text))
			if err != nil {
				t.Fatalf("%s: %v", test.reason, err)
			}
			var got []string
			for _, document := range documents {
				for _, object := range document.objects {
					got = append(got, fmt.Sprintf("%d %s %s", object.Line, object.Kind, object.Name))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			written, err := WriteYAML(documents)
			if err != nil || string(written) != test.text {
				t.Errorf("%s: WriteYAML returns %q and the error %v, want the text that was read", test.reason, written, err)
			}
		})
	}
}

func TestReadReportsMalformedDocumentsAndObjects(t *testing.T) {
	text := "a: [\n---\nkind: A\n---\n\nkind: [Pod]\n---\napiVersion: {}\nkind: []\n"
	want := "x.yaml:1: malformed YAML: did not find expected node content\n" +
		"x.yaml:6: malformed object: kind is not a string\n" +
		"x.yaml:8: malformed object: apiVersion is not a string"
	documents, err := Read("x.yaml", []byte(text))
	if err == nil || documents != nil {
		t.Fatalf("got %d documents and the error %v, want only an error", len(documents), err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
