package yamledit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestReadAndJoinKeepEveryByte(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   []int // the line of each document's root, or 0 for a document without a value
	}{
		"empty":    {"an empty file is one document", "", []int{0}},
		"comments": {"a document can have no value", "# a\n---\n# b\n---\n", []int{0, 0, 0}},
		"several documents": {
			"lines count from the start of the file", "a: 1\n---\n\n# c\nb: 1\n--- # d\nc: 1\n", []int{1, 5, 7},
		},
		"separator first":       {"no document comes before it", "---\na: 1\n", []int{2}},
		"dashes in a block":     {"indented dashes are text", "a: 1\nx: |\n  ---\n  b: 1\n", []int{1}},
		"directives":            {"they are a document without a value", "%YAML 1.2\n---\na: 1\n", []int{0, 3}},
		"sequences and scalars": {"any value is allowed, and null is ignored", "- a\n---\nword\n---\n~\n", []int{1, 3, 0}},
		"JSON":                  {"it is a document too", "\n{\"a\":\n1}", []int{2}},
		"carriage returns":      {"a separator can end with one", "a: 1\r\n---\r\nb: 1\r\n", []int{1, 3}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			documents, malformed := Read("x.yaml", []byte(test.text))
			if len(malformed) > 0 {
				t.Fatalf("%s: %v", test.reason, malformed)
			}
			var got []int
			for _, document := range documents {
				root := document.Root()
				if root == nil {
					root = &yaml.Node{}
				}
				got = append(got, root.Line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: lines of the roots (-want +got):\n%s", test.reason, diff)
			}
			joined, err := Join(documents)
			if err != nil || string(joined) != test.text {
				t.Errorf("%s: Join returns %q and the error %v, want %q", test.reason, joined, err, test.text)
			}
		})
	}
}

func TestJoinSeparatesFiles(t *testing.T) {
	var documents []*Document
	for _, text := range []string{"a: 1", "", "---\nb: 1\n", "c: 1\n"} {
		read, _ := Read("x.yaml", []byte(text))
		documents = append(documents, read...)
	}
	joined, err := Join(documents)
	if want := "a: 1\n---\nb: 1\n---\nc: 1\n"; err != nil || string(joined) != want {
		t.Errorf("Join returns %q and the error %v, want %q", joined, err, want)
	}
}

func TestMalformedDocumentsAreReportedWithTheirLine(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   []string
	}{
		"malformed": {
			"the line counts from the start of the file", "a: 1\n---\nb: 1\n c: 2\n",
			[]string{"x.yaml:4: malformed YAML: mapping values are not allowed in this context"},
		},
		"several": {
			"every malformed document has an error", "a: [\n---\nb: 'x\n",
			[]string{
				"x.yaml:1: malformed YAML: did not find expected node content",
				"x.yaml:3: malformed YAML: found unexpected end of stream",
			},
		},
		"alias bomb": {
			"a kilobyte must not become a gigabyte", aliasBomb(),
			[]string{"x.yaml:1: malformed YAML: aliases expand to more than 500000 nodes; " +
				"write the values out, or split the document"},
		},
		"alias in its own value": {
			"its expansion does not end", "a: 1\nb: &b {c: *b}\n",
			[]string{"x.yaml:2: malformed YAML: alias *b is inside the value that it refers to; write the value out"},
		},
		"unknown alias": {
			"the parser reports it", "a: *b\n",
			[]string{"x.yaml:1: malformed YAML: unknown anchor 'b' referenced"},
		},
		"second document": {
			"it would be lost", "a: 1\n...\nb: 1\n",
			[]string{"x.yaml:2: malformed YAML: did not find expected <document start>"},
		},
		"deep nesting": {
			"the parser has a limit", strings.Repeat("[", 100_000),
			[]string{"x.yaml:1: malformed YAML: exceeded max depth of 10000"},
		},
		"not UTF-8": {
			"the parser reads only UTF-8", "a: \xff\n",
			[]string{"x.yaml:1: malformed YAML: invalid leading UTF-8 octet"},
		},
		"large input": {
			"it is rejected before it is parsed", strings.Repeat(" ", MaxInputBytes+1),
			[]string{"x.yaml:1: the input has 33554433 bytes, and the limit is 33554432; split it"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			documents, malformed := Read("x.yaml", []byte(test.text))
			var got []string
			for _, err := range malformed {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			withoutRoot := 0
			for _, document := range documents {
				if document.Root() == nil {
					withoutRoot++
				}
			}
			if len(documents) > 0 && withoutRoot != len(malformed) {
				t.Errorf("%d documents have no root, want %d", withoutRoot, len(malformed))
			}
		})
	}
}

// aliasBomb returns a text of about 500 bytes whose aliases expand to 10^10 nodes.
func aliasBomb() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		previous, name := string(rune('a'+i))+"0", string(rune('b'+i))+"0"
		aliases := strings.TrimSuffix(strings.Repeat("*"+previous+", ", 10), ", ")
		text += name + ": &" + name + " [" + aliases + "]\n"
	}
	return text
}

func TestAppendJSONConvertsScalarsAsKubernetesDoes(t *testing.T) {
	cases := map[string]struct{ text, want, err string }{
		"strings":          {text: "a: 'x'\nb: <&>\n", want: `{"a":"x","b":"<&>"}`},
		"numbers":          {text: "[1, 1.50, 0x10, 1_000]\n", want: `[1,1.50,16,1000]`},
		"large number":     {text: "[12345678901234567890]\n", want: `[12345678901234567890]`},
		"booleans":         {text: "[true, False, yes, N, off]\n", want: `[true,false,true,false,false]`},
		"quoted booleans":  {text: "['yes', \"on\", !!str off]\n", want: `["yes","on","off"]`},
		"block booleans":   {text: "a: |-\n  on\n", want: `{"a":"on"}`},
		"nulls":            {text: "[~, null, ]\n", want: `[null,null]`},
		"dates":            {text: "[2024-01-02]\n", want: `["2024-01-02"]`},
		"number as a key":  {text: "1: a\n", want: `{"1":"a"}`},
		"infinity":         {text: "\na: .inf\n", err: `line 2: JSON has no number ".inf"; use a finite one`},
		"mapping as a key": {text: "a: {[b]: c}\n", err: "line 1: a key is a mapping or a list; use a string"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := AppendJSON(nil, readOne(t, test.text).Root())
			message := ""
			if err != nil {
				message = err.Error()
			}
			if string(got) != test.want || message != test.err {
				t.Errorf("got %s and the error %q, want %s and %q", got, message, test.want, test.err)
			}
		})
	}
}
