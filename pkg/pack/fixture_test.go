package pack

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

const fixture = "../../test/fixtures/plugins/dao-test"

// TestFixtureIsPacked checks that the fixture is packed without warnings.
func TestFixtureIsPacked(t *testing.T) {
	files := map[string][]byte{}
	folder := os.DirFS(fixture)
	err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[path], err = fs.ReadFile(folder, path)
		if err != nil {
			return err
		}
		_, err = parse.Parse(strings.NewReader(string(files[path])), path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, flat := range []bool{false, true} {
		packed, denied := Pack("dao-test", files, Options{Flat: flat})
		if len(denied) > 0 || len(packed.Warnings) > 0 || len(packed.ConfigMaps) != 1 || packed.Version != "1.1.0" {
			t.Fatalf("flat = %v: got %+v with the denials %v; want one ConfigMap with version 1.1.0", flat, packed, denied)
		}
		checkFolder(t, packed.ConfigMaps, packed.Digest, files)
	}
}

// fakeKong is a fake of Kong's plugin development kit, for the three branches of the fixture's handler. The end-to-end
// tests use a real Kong.
const fakeKong = `
rows, values, headers, slow = {}, {}, {}, false
local dao = {}
function dao:select_by_mykey(value)
  if rows[value] and not slow then return rows[value] end
  slow = false
end
function dao:insert(row)
  if rows[row.mykey] then return nil, "UNIQUE violation" end
  if row.mykey == "bad" then return nil, "no database" end
  rows[row.mykey] = { id = "id-of-" .. row.mykey }
  return rows[row.mykey]
end
kong = {
  db = { my_plugin_table = dao },
  request = { get_header = function(name) return values[name] end },
  response = {
    set_header = function(name, value) headers[name] = value end,
    exit = function(status) headers.status = tostring(status) end,
  },
  log = { err = function() end },
}
function access(handler, value, is_slow)
  values["mykey-add"], headers, slow = value, {}, is_slow
  handler:access({ request_header = "mykey-add" })
  return headers["X-Dao-Test"] or headers.status or "nothing"
end
`

func TestFixtureHandler(t *testing.T) {
	state := lua.NewState()
	defer state.Close()
	if err := state.DoString(fakeKong); err != nil {
		t.Fatal(err)
	}
	if err := state.DoFile(fixture + "/handler.lua"); err != nil {
		t.Fatal(err)
	}
	handler := state.Get(-1)
	for _, step := range []struct {
		reason, value string
		slow          bool
		want          string
	}{
		{"no header, no row", "", false, "nothing"},
		{"a new value", "a", false, "inserted:id-of-a"},
		{"the same value", "a", false, "found:id-of-a"},
		{"another request inserts the row after the lookup", "a", true, "found:id-of-a"},
		{"the database fails", "bad", false, "500"},
	} {
		value := lua.LNil
		if step.value != "" {
			value = lua.LString(step.value)
		}
		call := lua.P{Fn: state.GetGlobal("access"), NRet: 1, Protect: true}
		if err := state.CallByParam(call, handler, value, lua.LBool(step.slow)); err != nil {
			t.Fatalf("%s: %v", step.reason, err)
		}
		if got := state.ToString(-1); got != step.want {
			t.Errorf("%s: got %s; want %s", step.reason, got, step.want)
		}
		state.Pop(1)
	}
}
