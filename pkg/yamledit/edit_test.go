package yamledit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func add(path string, value any) Operation { return Operation{Op: "add", Path: path, Value: value} }

func replace(path string, value any) Operation {
	return Operation{Op: "replace", Path: path, Value: value}
}

func remove(path string) Operation { return Operation{Op: "remove", Path: path} }

// readOne parses a text that is one document.
func readOne(t *testing.T, text string) *Document {
	t.Helper()
	documents, malformed := Read("x.yaml", []byte(text))
	if len(malformed) > 0 || len(documents) != 1 {
		t.Fatalf("%q: got %d documents and the errors %v, want 1 document", text, len(documents), malformed)
	}
	return documents[0]
}

// editCase applies operations to a text. Only the lines that must change may differ in the result.
type editCase struct {
	reason     string
	text       string
	operations []Operation
	want       string
}

func runEditCases(t *testing.T, cases map[string]editCase) {
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			document := readOne(t, test.text)
			for _, operation := range test.operations {
				if err := document.Apply(operation); err != nil {
					t.Fatal(err)
				}
			}
			if !document.Changed() {
				t.Error("Changed returns false after an operation")
			}
			got, err := document.Render()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestAddedEntries(t *testing.T) {
	runEditCases(t, map[string]editCase{
		"member": {
			reason:     "a new member comes before blank lines and comments that belong to the next entry",
			text:       "a:\n  b: 1\n\n# next\nc: 2\n",
			operations: []Operation{add("/a/d", "x")},
			want:       "a:\n  b: 1\n  d: x\n\n# next\nc: 2\n",
		},
		"after an indented comment": {
			reason:     "a comment that is indented more belongs to the entry before it",
			text:       "a:\n  b: 1\n  # of b\n# end",
			operations: []Operation{add("/a/d", "x"), add("/e", "f")},
			want:       "a:\n  b: 1\n  d: x\n  # of b\ne: f\n# end",
		},
		"no newline at the end": {
			reason:     "the last line gets a newline before the new line",
			text:       "a: 1",
			operations: []Operation{add("/b", "2")},
			want:       "a: 1\nb: \"2\"\n",
		},
		"after a literal block": {
			reason:     "a line of the block that starts with # is text, not a comment",
			text:       "a:\n- |\n  # text\n\nb: 1\n",
			operations: []Operation{add("/a/-", "x")},
			want:       "a:\n- |\n  # text\n- x\n\nb: 1\n",
		},
		"after a block that keeps its last newlines": {
			reason:     "the blank line is part of the value, so the whole document is encoded",
			text:       "a:\n- |+\n  x\n\nb: 1\n",
			operations: []Operation{add("/a/-", "y")},
			want:       "a:\n- |+\n  x\n\n- \"y\"\nb: 1\n",
		},
		"item": {
			reason:     "comments stay before their items",
			text:       "a:\n  # one\n  - 1\n  # two\n  - 2\n",
			operations: []Operation{add("/a/1", "x")},
			want:       "a:\n  # one\n  - 1\n  - x\n  # two\n  - 2\n",
		},
		"several items": {
			reason:     "new items keep their order, also before the first item of the text",
			text:       "a:\n- b:   1\n- c:   2\n",
			operations: []Operation{add("/a/0", "x"), add("/a/1", "y"), add("/a/3", "z"), add("/a/-", "end")},
			want:       "a:\n- x\n- \"y\"\n- b:   1\n- z\n- c:   2\n- end\n",
		},
		"replaced new item": {
			reason:     "an item that is added and then replaced is still new",
			text:       "a:\n- b:   1\n",
			operations: []Operation{add("/a/0", "x"), replace("/a/0", "z")},
			want:       "a:\n- z\n- b:   1\n",
		},
		"in empty values": {
			reason: "null, [] and {} are replaced in their lines",
			text:   "a:\nb: []\nc: {}\nd: ~ # none\n",
			operations: []Operation{
				add("/a", []string{"1"}), add("/b", []string{"2"}), add("/c", map[string]string{"x": "3"}), add("/d", "on"),
			},
			want: "a:\n- \"1\"\nb:\n- \"2\"\nc:\n  x: \"3\"\nd: \"on\" # none\n",
		},
		"end marker": {
			reason:     "the new line comes before the end marker",
			text:       "a: 1\n...\n",
			operations: []Operation{add("/b", "x")},
			want:       "a: 1\nb: x\n...\n",
		},
		"carriage returns": {
			reason:     "new lines end as the other lines do",
			text:       "a:\r\n  b: 1\r\nc: 2\r\n",
			operations: []Operation{add("/a/d", "x")},
			want:       "a:\r\n  b: 1\r\n  d: x\r\nc: 2\r\n",
		},
	})
}

func TestReplacedEntries(t *testing.T) {
	runEditCases(t, map[string]editCase{
		"scalar": {
			reason:     "quotes and the comment in the line stay",
			text:       "- n: x\n  v:   'a' # why\n",
			operations: []Operation{replace("/0/v", "b"), replace("/0/n", "true")},
			want:       "- n: \"true\"\n  v: 'b' # why\n",
		},
		"twice": {
			reason:     "a replaced value can be replaced again",
			text:       "a: b\nc: d\n",
			operations: []Operation{replace("/a", "x"), replace("/a", []string{"y"})},
			want:       "a:\n- \"y\"\nc: d\n",
		},
		"item": {
			reason:     "all lines of the item are replaced, and the other items stay",
			text:       "a:\n- b: 1\n  # in b\n  c: 2\n# of d\n- d: 3\n",
			operations: []Operation{replace("/a/0", map[string]string{"x": "y"})},
			want:       "a:\n- x: \"y\"\n# of d\n- d: 3\n",
		},
		"with add": {
			reason:     "add replaces the value of an existing key (RFC 6902)",
			text:       "a:   1\nb:   2\n",
			operations: []Operation{add("/a", "x")},
			want:       "a: x\nb:   2\n",
		},
	})
}

func TestRemovedEntries(t *testing.T) {
	runEditCases(t, map[string]editCase{
		"item and member": {
			reason:     "the rest of the list is encoded with its comments, and all other lines stay",
			text:       "a: {b:   1}\nc:\n# one\n- x:   1\n# two\n- y: 2\n  z: 3 # three\n# d\nd:   4\n",
			operations: []Operation{remove("/c/0"), remove("/c/0/y"), add("/c/-", "x")},
			want:       "a: {b:   1}\nc:\n# two\n- z: 3 # three\n- x\n# d\nd:   4\n",
		},
		"all items": {
			reason:     "the empty list stays, also in flow style",
			text:       "a: {b:   [1]}\nc:\n- x\n",
			operations: []Operation{remove("/c/0"), remove("/a/b/0")},
			want:       "a: {b: []}\nc: []\n",
		},
		"member of the root": {
			reason:     "the whole document is encoded",
			text:       "a:   1\nb:   2 # two\n",
			operations: []Operation{remove("/a")},
			want:       "b: 2 # two\n",
		},
	})
}

func TestLayouts(t *testing.T) {
	runEditCases(t, map[string]editCase{
		"flow": {
			reason:     "a flow collection stays in its line, and an unchanged one keeps its spaces",
			text:       "a: {b: [1,   2]}\nc: {d:   1}\n",
			operations: []Operation{add("/a/b/-", "x")},
			want:       "a: {b: [1, 2, x]}\nc: {d:   1}\n",
		},
		"flow document": {
			reason:     "the whole document is encoded in flow style",
			text:       "{a: b, c: [d]} # e\n",
			operations: []Operation{add("/c/-", "x")},
			want:       "{a: b, c: [d, x]} # e\n",
		},
		"tabs and wide characters": {
			reason:     "columns count characters",
			text:       "ä: {ö: 1}\nü: [\"\U0001f600\",\t1]\n",
			operations: []Operation{add("/ä/b", "x"), add("/ü/-", "x")},
			want:       "ä: {ö: 1, b: x}\nü: [\"\\U0001F600\", 1, x]\n",
		},
		"anchor without an alias": {
			reason:     "no other value shares it, so it stays, and the other lines keep their spaces",
			text:       "a: &a\n  b:   1\nc:   2\n",
			operations: []Operation{add("/a/d", "x")},
			want:       "a: &a\n  b:   1\n  d: x\nc:   2\n",
		},
		"merge key": {
			reason:     "the merged members are written out, and the source of the merge stays the same",
			text:       "base: &base\n  x: 1\n  y: 2\nuse:\n  <<: *base\n  x: 3\n",
			operations: []Operation{replace("/use/y", "z")},
			want:       "base:\n  x: 1\n  y: 2\nuse:\n  x: 3\n  y: z\n",
		},
		"JSON": {
			reason:     "it stays JSON with its own indentation",
			text:       "{\n\t\"a\": [1.50, \"\\ud83d\\ude00\"]\n}\n",
			operations: []Operation{add("/a/-", "<&>")},
			want:       "{\n\t\"a\": [\n\t\t1.50,\n\t\t\"\U0001f600\",\n\t\t\"<&>\"\n\t]\n}\n",
		},
		"JSON in a line": {
			reason:     "it stays in one line",
			text:       ` {"a":1}`,
			operations: []Operation{add("/b~1c~0d", true)},
			want:       ` {"a":1,"b/c~d":true}`,
		},
	})
}

func TestOperationsOutsideTheDocumentFail(t *testing.T) {
	cases := map[string]struct {
		operation Operation
		want      string
	}{
		"remove a missing key":         {remove("/x"), `remove /x: the mapping has no key "x"`},
		"remove the end of a list":     {remove("/list/-"), `remove /list/-: index "-" is not in the list`},
		"add below a missing key":      {add("/x/y", 1), `add /x/y: the mapping has no key "x"`},
		"replace a missing key":        {replace("/x", 1), `replace /x: the mapping has no key "x"`},
		"add beyond the end of a list": {add("/list/2", 1), `add /list/2: index "2" is not in the list`},
		"replace the end of a list":    {replace("/list/-", 1), `replace /list/-: index "-" is not in the list`},
		"add a key to a list":          {add("/list/a", 1), `add /list/a: index "a" is not in the list`},
		"add below a key of a list":    {add("/list/a/b", 1), `add /list/a/b: index "a" is not in the list`},
		"add to a scalar":              {add("/a/b", 1), `add /a/b: "b" is not in a mapping or a list`},
		"unknown operation": {
			Operation{Op: "move", Path: "/a"}, `move /a: the operation is unknown; use add, replace or remove`,
		},
		"the root": {replace("", 1), `replace : the path is not inside a value`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			document := readOne(t, "a: b\nlist: [1]\n")
			if err := document.Apply(test.operation); err == nil || err.Error() != test.want {
				t.Errorf("got the error %v, want %s", err, test.want)
			}
			if document.Changed() {
				t.Error("Changed returns true after an error")
			}
		})
	}
}
