package jsonview_test

import (
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/jsonview"
)

// read reads an object with a member of each type.
func read(text string) (read members, err error) {
	d := jsonview.New([]byte(text))
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "string":
			read.String = d.String()
		case "bytes":
			read.Bytes = string(d.Bytes())
		case "bool":
			read.Bool = d.Bool()
		case "raw":
			read.Raw = string(d.Raw())
		case "map":
			read.Map, read.Count = d.StringMap("our.")
		case "list":
			for ok := d.Array(); ok && d.More(); {
				read.List = append(read.List, d.String())
			}
		case "fail":
			d.Fail(errors.New("custom error"))
		default:
			d.Skip()
		}
	}
	d.End()
	return read, d.Err()
}

type members struct {
	String, Bytes, Raw string
	Bool               bool
	Map                map[string]string
	Count              int
	List               []string
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		want   members
		reason string
	}{
		"null":  {`null`, members{}, "null is an object without members"},
		"empty": {` { } `, members{}, "white space does not matter"},
		"each type": {
			`{"string":"a","bytes":"b","bool":true,"raw":{"a": [1]},"list":["x","y"]}`,
			members{String: "a", Bytes: "b", Bool: true, Raw: `{"a": [1]}`, List: []string{"x", "y"}},
			"each member has its value",
		},
		"nulls": {
			`{"string":null,"bytes":null,"bool":null,"map":null,"list":null,"raw":null}`,
			members{Raw: "null"}, "null is the zero value",
		},
		"nested nulls": {
			`{"list":["a",null],"map":{"our.a":null}}`,
			members{List: []string{"a", ""}, Map: map[string]string{"our.a": ""}, Count: 1}, "also in lists and maps",
		},
		"escapes": {
			`{"string":"\"\\\/\b\n\u00e9\ud83d\ude00","bytes":"\u0000"}`, members{String: "\"\\/\b\né😀", Bytes: "\x00"},
			"all escapes are decoded",
		},
		"escaped name": {`{"str\u0069ng":"a"}`, members{String: "a"}, "escapes in names are decoded"},
		"case":         {`{"String":"a","STRING":"b"}`, members{}, "names are case-sensitive"},
		"skipped": {
			`{"x":{"string":"no","list":[[[{}]]]},"string":"a","y":[1,{"string":"no"}]}`,
			members{String: "a"}, "skipped values are skipped with all their members",
		},
		"map": {
			`{"map":{"our.a":"1","other":7,"our.":"2","ou":[]}}`,
			members{Map: map[string]string{"our.a": "1", "our.": "2"}, Count: 4}, "only members with the prefix are read",
		},
		"false": {`{"bool":false}`, members{}, "a boolean"},
		"deep":  {`{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, members{}, "deep, but not too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(test.text)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("error %v: %s (-want +got):\n%s", err, test.reason, diff)
			}
		})
	}
}

// TestReadInALargeText checks that values of a text with many objects, which is read in another way, are the same.
func TestReadInALargeText(t *testing.T) {
	many := `"x": [{}` + strings.Repeat(`,{}`, 5000) + `]`
	got, err := read(`{` + many + `, "raw" : {"a": [1]} ,"list": [ "x" , "y" ],"string":"a", "raw2": 1}`)
	want := members{String: "a", Raw: `{"a": [1]}`, List: []string{"x", "y"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	_, err = read(`{` + many + `,"list":["x",{}]}`)
	if want := `at "/list/1": found { instead of a string`; err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestErrors checks that errors name the problem and its place, as a JSON pointer.
func TestErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":             {``, "EOF"},
		"a list":            {`[]`, `at "": found [ instead of an object`},
		"a string":          {`"a"`, `at "": found string instead of an object`},
		"string":            {`{"string":1}`, `at "/string": found number instead of a string`},
		"string, object":    {`{"string":{"a":1}}`, `at "/string": found { instead of a string`},
		"bytes":             {`{"bytes":true}`, `at "/bytes": found true instead of a string`},
		"bool":              {`{"bool":"true"}`, `at "/bool": found string instead of a boolean`},
		"list":              {`{"list":{}}`, `at "/list": found { instead of an array`},
		"in a list":         {`{"list":["a",2]}`, `at "/list/1": found number instead of a string`},
		"map":               {`{"map":["our.a"]}`, `at "/map": found [ instead of an object`},
		"in a map":          {`{"map":{"our.a/b~":[]}}`, `at "/map/our.a~1b~0": found [ instead of a string`},
		"custom":            {`{"a":{"fail":1},"fail":2}`, `at "/fail": custom error`},
		"second value":      {`{} {}`, "unexpected text after the JSON value"},
		"garbage at end":    {`{}x`, "unexpected text after the JSON value"},
		"truncated":         {`{"string":"a"`, "EOF"},
		"truncated in skip": {`{"x":{"a":[1,`, "EOF"},
		"not JSON":          {`{"x":{"a":tru}}`, `"/x/a"`},
		"comma":             {`{"string":"a",}`, "invalid"},
		"not UTF-8":         {"{\"string\":\"\xff\"}", "UTF-8"},
		"half of a pair":    {`{"string":"\ud83d"}`, "surrogate"},
		"bad number":        {`{"x":-}`, `"/x"`},
		"too deep":          {`{"x":` + strings.Repeat("[", 11_000) + strings.Repeat("]", 11_000) + `}`, "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%.60s gives the error %v; want one that contains %q", test.text, err, test.want)
			}
		})
	}
}

// TestNothingIsReadAfterAnError checks that callers need to check for errors only once.
func TestNothingIsReadAfterAnError(t *testing.T) {
	d := jsonview.New([]byte(`{"a":1,"b":"x","c":true,"d":[],"e":{}}`))
	d.Object()
	d.Name()
	_ = d.String()
	first := d.Err()
	if first == nil {
		t.Fatal("a number was read as a string without an error")
	}
	values, count := d.StringMap("")
	if d.Object() || d.Array() || d.More() || d.Bool() || d.Name() != nil || d.String() != "" ||
		d.Bytes() != nil || d.Raw() != nil || values != nil || count != 0 {
		t.Error("the Decoder read a value after an error")
	}
	d.Skip()
	d.End()
	d.Fail(errors.New("later"))
	if !errors.Is(d.Err(), first) {
		t.Errorf("a later error replaced the first one: %v", d.Err())
	}
}

// TestDeepTextNeedsLittleStack checks that a deeply nested value is not read recursively: many concurrent requests with
// such values would need much memory.
func TestDeepTextNeedsLittleStack(t *testing.T) {
	const maxStack = 512 << 10
	deep := strings.Repeat("[", 9990) + strings.Repeat("]", 9990)
	for name, text := range map[string]string{
		"skipped":             `{"x":` + deep + `}`,
		"raw":                 `{"raw":` + deep + `}`,
		"instead of a string": `{"string":` + deep + `}`,
		"in a list":           `{"list":[` + deep + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = read(text) // the error does not matter
			runtime.ReadMemStats(&after)
			if after.StackInuse > before.StackInuse+maxStack {
				t.Errorf("the stacks have grown from %d to %d KiB, want at most %d KiB more",
					before.StackInuse>>10, after.StackInuse>>10, maxStack>>10)
			}
		})
	}
}

// FuzzRead checks that the Decoder reads the same values as encoding/json, and that it rejects invalid JSON.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"string":"a","list":["x",null]}`, `{"string":"\ud83d\ude00"}`, `null`, `{}x`, `{"x":[{}],"string":"\\"}`,
		`{"list":{}}`, `{"map":{"our.\n":"b"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := read(text)
		if err != nil {
			return
		}
		var want struct {
			String string   `json:"string"`
			List   []string `json:"list"`
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatalf("the Decoder accepts %q, which is not JSON: %v", text, err)
		}
		_, ok := members["string"]
		if ok && json.Unmarshal(members["string"], &want.String) == nil && want.String != got.String {
			t.Errorf("%q: string %q; want %q", text, got.String, want.String)
		}
		once := strings.Count(text, "list") == 1
		if once && json.Unmarshal(members["list"], &want.List) == nil && !slices.Equal(want.List, got.List) {
			t.Errorf("%q: list %q; want %q", text, got.List, want.List)
		}
	})
}
