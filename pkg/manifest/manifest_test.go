package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/mutate"
)

// Operations on hand-written text: only what they change may differ.
func TestRender(t *testing.T) {
	add := func(path string, value any) mutate.Operation {
		return mutate.Operation{Op: "add", Path: path, Value: value}
	}
	replace := func(path string, value any) mutate.Operation {
		return mutate.Operation{Op: "replace", Path: path, Value: value}
	}
	cases := map[string]struct {
		reason     string
		text, want string
		operations []mutate.Operation
	}{
		"new member": {
			reason: "in front of blank lines and comments that belong to what follows",
			text:   "a:\n  b: 1\n\n# next\nc: 2\n", operations: []mutate.Operation{add("/a/d", "x")},
			want: "a:\n  b: 1\n  d: x\n\n# next\nc: 2\n",
		},
		"comments further in": {
			reason: "belong to what stands before",
			text:   "a:\n  b: 1\n  # of b\n# end", operations: []mutate.Operation{add("/a/d", "x"), add("/e", "f")},
			want: "a:\n  b: 1\n  d: x\n  # of b\ne: f\n# end",
		},
		"no newline at the end": {
			reason: "the last line gets one before another follows",
			text:   "a: 1", operations: []mutate.Operation{add("/b", "2")},
			want: "a: 1\nb: \"2\"\n",
		},
		"behind a literal block": {
			reason: "what looks like a comment in it is text",
			text:   "a:\n- |\n  # text\n\nb: 1\n", operations: []mutate.Operation{add("/a/-", "x")},
			want: "a:\n- |\n  # text\n- x\n\nb: 1\n",
		},
		"kept newlines": {
			reason: "a block that keeps its blank lines cannot lose them: the document is written anew",
			text:   "a:\n- |+\n  x\n\nb: 1\n", operations: []mutate.Operation{add("/a/-", "y")},
			want: "a:\n- |+\n  x\n\n- \"y\"\nb: 1\n",
		},
		"inserted item": {
			reason: "comments go on standing before their items",
			text:   "a:\n  # one\n  - 1\n  # two\n  - 2\n", operations: []mutate.Operation{add("/a/1", "x")},
			want: "a:\n  # one\n  - 1\n  - x\n  # two\n  - 2\n",
		},
		"scalar": {
			reason: "quotes and the comment beside it stay",
			text:   "- n: x\n  v:   'a' # why\n", operations: []mutate.Operation{replace("/0/v", "b"), replace("/0/n", "true")},
			want: "- n: \"true\"\n  v: 'b' # why\n",
		},
		"twice": {
			reason: "what was replaced can be replaced again",
			text:   "a: b\nc: d\n", operations: []mutate.Operation{replace("/a", "x"), replace("/a", []string{"y"})},
			want: "a:\n- \"y\"\nc: d\n",
		},
		"replaced item": {
			reason: "an item that is a mapping goes as a whole, and others stay",
			text:   "a:\n- b: 1\n  # in b\n  c: 2\n# of d\n- d: 3\n", operations: []mutate.Operation{replace("/a/0", map[string]string{"x": "y"})},
			want: "a:\n- x: \"y\"\n# of d\n- d: 3\n",
		},
		"null and empty": {
			reason: "places for lists that are not there yet",
			text:   "a:\nb: []\nc: {}\nd: ~ # none\n",
			operations: []mutate.Operation{
				add("/a", []string{"1"}), add("/b", []string{"2"}), add("/c", map[string]string{"x": "3"}), add("/d", "on"),
			},
			want: "a:\n- \"1\"\nb:\n- \"2\"\nc:\n  x: \"3\"\nd: \"on\" # none\n",
		},
		"flow": {
			reason: "what is written in a line stays in a line, and others stay as they are",
			text:   "a: {b: [1,   2]}\nc: {d:   1}\n", operations: []mutate.Operation{add("/a/b/-", "x")},
			want: "a: {b: [1, 2, x]}\nc: {d:   1}\n",
		},
		"flow document": {
			reason: "written anew, as it was",
			text:   "{a: b, c: [d]} # e\n", operations: []mutate.Operation{add("/c/-", "x")},
			want: "{a: b, c: [d, x]} # e\n",
		},
		"tabs and wide characters": {
			reason: "columns count characters",
			text:   "ä: {ö: 1}\nü: [\"\U0001f600\",\t1]\n", operations: []mutate.Operation{add("/ä/b", "x"), add("/ü/-", "x")},
			want: "ä: {ö: 1, b: x}\nü: [\"\\U0001F600\", 1, x]\n",
		},
		"carriage returns": {
			reason: "new lines end as the others do",
			text:   "a:\r\n  b: 1\r\nc: 2\r\n", operations: []mutate.Operation{add("/a/d", "x")},
			want: "a:\r\n  b: 1\r\n  d: x\r\nc: 2\r\n",
		},
		"end of document": {
			reason: "nothing stands behind the marker",
			text:   "a: 1\n...\n", operations: []mutate.Operation{add("/b", "x")},
			want: "a: 1\nb: x\n...\n",
		},
		"anchor without alias": {
			reason: "nobody shares it, and it stays",
			text:   "a: &a\n  b: 1\nc: 2\n", operations: []mutate.Operation{add("/a/d", "x")},
			want: "a: &a\n  b: 1\n  d: x\nc: 2\n",
		},
		"merge key": {
			reason: "what it brings is written out, and its source stays as it is",
			text:   "base: &base\n  x: 1\n  y: 2\nuse:\n  <<: *base\n  x: 3\n", operations: []mutate.Operation{replace("/use/y", "z")},
			want: "base:\n  x: 1\n  y: 2\nuse:\n  x: 3\n  y: z\n",
		},
		"taken away": {
			reason: "of a list that shrinks the rest is written anew, with its comments, and nothing else",
			text:   "a: {b:   1}\nc:\n# one\n- x:   1\n# two\n- y: 2\n  z: 3 # three\n# d\nd:   4\n",
			operations: []mutate.Operation{
				{Op: "remove", Path: "/c/0"}, {Op: "remove", Path: "/c/0/y"}, add("/c/-", "x"),
			},
			want: "a: {b:   1}\nc:\n# two\n- z: 3 # three\n- x\n# d\nd:   4\n",
		},
		"all taken away": {
			reason: "an empty list is one all the same, in flow too",
			text:   "a: {b:   [1]}\nc:\n- x\n", operations: []mutate.Operation{{Op: "remove", Path: "/c/0"}, {Op: "remove", Path: "/a/b/0"}},
			want: "a: {b: []}\nc: []\n",
		},
		"JSON": {
			reason: "stays JSON, with its own indentation",
			text:   "{\n\t\"a\": [1.50, \"\\ud83d\\ude00\"]\n}\n", operations: []mutate.Operation{add("/a/-", "<&>")},
			want: "{\n\t\"a\": [\n\t\t1.50,\n\t\t\"\U0001f600\",\n\t\t\"<&>\"\n\t]\n}\n",
		},
		"JSON in a line": {
			reason: "stays in a line",
			text:   ` {"a":1}`, operations: []mutate.Operation{add("/b~1c~0d", true)},
			want: ` {"a":1,"b/c~d":true}`,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			documents, err := Read("x.yaml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			for _, operation := range test.operations {
				if err := documents[0].apply("", operation); err != nil {
					t.Fatal(err)
				}
			}
			got, err := WriteYAML(documents)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestApplyFails(t *testing.T) {
	cases := map[string]struct {
		reason    string
		operation mutate.Operation
		want      string
	}{
		"remove nothing":    {"as with replace", mutate.Operation{Op: "remove", Path: "/x"}, `remove /x: there is no "x"`},
		"remove the end":    {"there is nothing", mutate.Operation{Op: "remove", Path: "/list/-"}, `remove /list/-: there is no "-"`},
		"no parent":         {"nothing is made up", mutate.Operation{Op: "add", Path: "/x/y", Value: 1}, `add /x/y: there is no "x"`},
		"nothing to remove": {"replace needs something", mutate.Operation{Op: "replace", Path: "/x", Value: 1}, `replace /x: there is no "x"`},
		"behind the list":   {"lists have no holes", mutate.Operation{Op: "add", Path: "/list/2", Value: 1}, `add /list/2: there is no "2" in a list of 1`},
		"replace the end":   {"there is nothing", mutate.Operation{Op: "replace", Path: "/list/-", Value: 1}, `replace /list/-: there is no "1" in a list of 1`},
		"no number":         {"lists have no names", mutate.Operation{Op: "add", Path: "/list/a", Value: 1}, `add /list/a: there is no "a" in a list of 1`},
		"below an item":     {"lists have no names on the way either", mutate.Operation{Op: "add", Path: "/list/a/b", Value: 1}, `add /list/a/b: there is no "a"`},
		"in a scalar":       {"it holds nothing", mutate.Operation{Op: "add", Path: "/a/b", Value: 1}, `add /a/b: "b" would be in a scalar`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			documents, err := Read("x.yaml", []byte("a: b\nlist: [1]\n"))
			if err != nil {
				t.Fatal(err)
			}
			if err := documents[0].apply("", test.operation); err == nil || err.Error() != test.want {
				t.Errorf("%s: got %v, want %s", test.reason, err, test.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   []string // line, kind and name of each object
	}{
		"empty":           {reason: "no document", text: ""},
		"comments":        {reason: "no object", text: "# a\n---\n# b\n---\n"},
		"several":         {"lines are those of the file", "kind: A\n---\n\n# c\nkind: B\n--- # d\nkind: C\n", []string{"1 A", "5 B", "7 C"}},
		"first separator": {"nothing stands before it", "---\nkind: A\n", []string{"2 A"}},
		"in a block":      {"text may hold dashes further in", "kind: A\nx: |\n  ---\n  kind: B\n", []string{"1 A"}},
		"directives":      {"are no document", "%YAML 1.2\n---\nkind: A\n", []string{"3 A"}},
		"no object":       {"a list or a word passes", "- a\n---\nword\n---\n~\n", nil},
		"list":            {"items are objects", "kind: List\nitems:\n- kind: A\n- kind: List\n  items:\n  - kind: B\n    metadata: {name: b}\n", []string{"3 A", "6 B b"}},
		"typed list":      {"items may leave their kind out", "kind: PodList\nitems:\n- metadata: {name: a}\n", []string{"3 Pod a"}},
		"list of nothing": {"null items are none", "kind: List\nitems:\n-\n- ~\n", nil},
		"no list":         {"other kinds may have items", "kind: Menu\nitems:\n- kind: A\n", []string{"1 Menu"}},
		"JSON":            {"lines are counted in it too", "{\"kind\": \"List\",\n\"items\": [\n{\"kind\": \"A\"},\n\n{\"kind\": \"B\"}]}", []string{"3 A", "5 B"}},
		"aliases":         {"are what they stand for", "x: &x {name: n}\nkind: A\nmetadata: *x\n", []string{"1 A n"}},
		"carriage return": {"ends a separator too", "kind: A\r\n---\r\nkind: B\r\n", []string{"1 A", "3 B"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			documents, err := Read("x.yaml", []byte(test.text))
			if err != nil {
				t.Fatalf("%s: %v", test.reason, err)
			}
			var got []string
			for _, document := range documents {
				for _, object := range document.Objects {
					line := strings.TrimPrefix(object.problem("").String(), "x.yaml:")
					line = strings.TrimSuffix(line, ": ")
					got = append(got, strings.TrimSpace(line+" "+object.Kind+" "+object.Name))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			written, err := WriteYAML(documents)
			if err != nil || string(written) != test.text {
				t.Errorf("%s: written back as %q, %v", test.reason, written, err)
			}
		})
	}
}

func TestReadDenies(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		previous, name := string(rune('a'+i))+"0", string(rune('b'+i))+"0"
		bomb += name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+previous+", ", 10), ", ") + "]\n"
	}
	cases := map[string]struct{ reason, text, want string }{
		"malformed":        {"the line in the file", "a: 1\n---\nb: 1\n c: 2\n", "x.yaml:4: malformed YAML: mapping values are not allowed in this context"},
		"several":          {"all of them", "a: [\n---\nb: 'x\n", "x.yaml:1: malformed YAML: did not find expected node content\nx.yaml:3: malformed YAML: found unexpected end of stream"},
		"alias bomb":       {"a kilobyte must not become a gigabyte", bomb, "x.yaml:1: malformed YAML: its aliases stand for too much; write them out, or split the document"},
		"alias in itself":  {"it would never end", "a: 1\nb: &b {c: *b}\n", "x.yaml:2: malformed YAML: alias *b stands for something that it is itself in"},
		"unknown alias":    {"the parser's own words", "a: *b\n", "x.yaml:1: malformed YAML: unknown anchor 'b' referenced"},
		"second document":  {"would be lost", "a: 1\n...\nb: 1\n", "x.yaml:2: malformed YAML: did not find expected <document start>"},
		"kind is a list":   {"no kind of object", "\nkind: [Pod]\n", "x.yaml:2: malformed object: kind is not a string"},
		"deeply nested":    {"the parser's own bound", strings.Repeat("[", 100_000), "x.yaml:1: malformed YAML: exceeded max depth of 10000"},
		"no text":          {"the parser reads UTF-8", "a: \xff\n", "x.yaml:1: malformed YAML: invalid leading UTF-8 octet"},
		"larger than read": {"before anything is parsed", strings.Repeat(" ", Largest+1), "x.yaml:1: has 33554433 bytes, and at most 33554432 are read; split it"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Read("x.yaml", []byte(test.text))
			if err == nil {
				t.Fatalf("%s: read", test.reason)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}
