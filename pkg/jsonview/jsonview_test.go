package jsonview_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/jsonview"
)

// read walks over an object with each kind of member there is.
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
			read.Map, read.All = d.StringMap("our.")
		case "list":
			for ok := d.Array(); ok && d.More(); {
				read.List = append(read.List, d.String())
			}
		case "fail":
			d.Fail(errors.New("of my own"))
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
	All                int
	List               []string
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		want   members
		reason string
	}{
		"nothing":      {`null`, members{}, "null is an object of no members"},
		"empty":        {` { } `, members{}, "white space means nothing"},
		"each":         {`{"string":"a","bytes":"b","bool":true,"raw":{"a": [1]},"list":["x","y"]}`, members{String: "a", Bytes: "b", Bool: true, Raw: `{"a": [1]}`, List: []string{"x", "y"}}, "as they stand"},
		"nulls":        {`{"string":null,"bytes":null,"bool":null,"map":null,"list":null,"raw":null}`, members{Raw: "null"}, "null is the zero value"},
		"nulls inside": {`{"list":["a",null],"map":{"our.a":null}}`, members{List: []string{"a", ""}, Map: map[string]string{"our.a": ""}, All: 1}, "also inside"},
		"escapes":      {`{"string":"\"\\\/\b\n\u00e9\ud83d\ude00","bytes":"\u0000"}`, members{String: "\"\\/\b\né😀", Bytes: "\x00"}, "every escape"},
		"escaped name": {`{"str\u0069ng":"a"}`, members{String: "a"}, "names are unescaped too"},
		"case":         {`{"String":"a","STRING":"b"}`, members{}, "names are matched by case"},
		"skipped":      {`{"x":{"string":"no","list":[[[{}]]]},"string":"a","y":[1,{"string":"no"}]}`, members{String: "a"}, "what nobody asks for is passed over whole"},
		"map":          {`{"map":{"our.a":"1","other":7,"our.":"2","ou":[]}}`, members{Map: map[string]string{"our.a": "1", "our.": "2"}, All: 4}, "only what has the prefix is looked at"},
		"false":        {`{"bool":false}`, members{}, "a boolean"},
		"deep":         {`{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, members{}, "deep, but not too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(test.text)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v: %s\n%s", err, test.reason, diff)
			}
		})
	}
}

// TestErrors proves that whatever is wrong is said, with its place as a JSON pointer.
func TestErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":           {``, "EOF"},
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
		"of my own":         {`{"a":{"fail":1},"fail":2}`, `at "/fail": of my own`},
		"behind":            {`{} {}`, "something follows the JSON value"},
		"garbage behind":    {`{}x`, "something follows the JSON value"},
		"cut":               {`{"string":"a"`, "EOF"},
		"cut in what skips": {`{"x":{"a":[1,`, "EOF"},
		"no JSON":           {`{"x":{"a":tru}}`, `"/x/a"`},
		"comma":             {`{"string":"a",}`, "invalid"},
		"no UTF-8":          {"{\"string\":\"\xff\"}", "UTF-8"},
		"half a pair":       {`{"string":"\ud83d"}`, "surrogate"},
		"bad number":        {`{"x":-}`, `"/x"`},
		"too deep":          {`{"x":` + strings.Repeat("[", 11_000) + strings.Repeat("]", 11_000) + `}`, "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%.60s gives %v; want an error with %q", test.text, err, test.want)
			}
		})
	}
}

// TestFirstErrorSticks proves that nothing is read behind an error, so that
// callers need to look once.
func TestFirstErrorSticks(t *testing.T) {
	d := jsonview.New([]byte(`{"a":1,"b":"x","c":true,"d":[],"e":{}}`))
	d.Object()
	d.Name()
	_ = d.String()
	first := d.Err()
	if first == nil {
		t.Fatal("a number was read as a string")
	}
	values, all := d.StringMap("")
	if d.Object() || d.Array() || d.More() || d.Bool() || d.Name() != nil || d.String() != "" || d.Bytes() != nil || d.Raw() != nil || values != nil || all != 0 {
		t.Error("something was read behind an error")
	}
	d.Skip()
	d.End()
	d.Fail(errors.New("later"))
	if !errors.Is(d.Err(), first) {
		t.Errorf("the error became %v", d.Err())
	}
}

// FuzzRead proves that what the view reads is what encoding/json reads, and
// that it takes nothing which is no JSON.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"string":"a","list":["x",null]}`, `{"string":"\ud83d\ude00"}`, `null`, `{}x`, `{"x":[{}],"string":"\\"}`, `{"list":{}}`, `{"map":{"our.\n":"b"}}`} {
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
			t.Fatalf("%q is taken, and is no JSON: %v", text, err)
		}
		if _, ok := members["string"]; ok && json.Unmarshal(members["string"], &want.String) == nil && want.String != got.String {
			t.Errorf("%q: string %q; want %q", text, got.String, want.String)
		}
		if strings.Count(text, "list") == 1 && json.Unmarshal(members["list"], &want.List) == nil && !slices.Equal(want.List, got.List) {
			t.Errorf("%q: list %q; want %q", text, got.List, want.List)
		}
	})
}
