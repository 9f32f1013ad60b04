package mutate

import (
	"slices"
	"strings"
	"testing"
)

// TestPluginsValue proves which value KONG_PLUGINS gets.
func TestPluginsValue(t *testing.T) {
	one := []string{"dao-test"}
	for name, test := range map[string]struct {
		old      string
		plugins  []string
		outdated []string
		want     string
		reason   string
	}{
		"empty":            {"", one, nil, "dao-test", "Kong loads nothing, as with off"},
		"spaces":           {" \t\n", one, nil, "dao-test", "Kong strips the value"},
		"false":            {"false", one, nil, "dao-test", "Helm renders off like this"},
		"true":             {"true", one, nil, "bundled,dao-test", "Helm renders on like this"},
		"false later":      {"a,false", one, nil, "a,false,dao-test", "it may be the name of a plugin"},
		"one plugin":       {"bundled", one, nil, "bundled,dao-test", "a missing plugin is added at the end"},
		"several plugins":  {"b", []string{"z", "a", "b"}, nil, "b,z,a", "in the order of the request"},
		"present":          {"x, dao-test ,y", one, nil, "x, dao-test ,y", "the value does not change"},
		"all present":      {"b,a", []string{"a", "b"}, nil, "b,a", "the order does not matter"},
		"trailing newline": {"bundled\n", one, nil, "bundled,dao-test", "there is no newline before the plugin"},
		"empty element":    {"a,,b", one, nil, "a,b,dao-test", "Kong does not start with an empty element"},
		"empty element and present": {
			"a,,dao-test", one, nil, "a,dao-test", "the empty element is removed, even if no plugin is missing",
		},
		"blank element":         {"a, ,b", one, nil, "a,b,dao-test", "Kong strips elements"},
		"vertical tab":          {"a,\v,b", one, nil, "a,b,dao-test", "Lua's %s includes vertical tabs"},
		"leading comma":         {",a", one, nil, "a,dao-test", ""},
		"only commas":           {",,,", one, nil, "dao-test", "only empty elements are an empty value"},
		"off":                   {"off", one, nil, "dao-test", "off loads nothing, so it is replaced"},
		"off and more":          {"off,key-auth", one, nil, "dao-test", "Kong loads nothing after off"},
		"off and present":       {"off,dao-test", one, nil, "dao-test", ""},
		"off later":             {"key-auth,off", one, nil, "key-auth,off,dao-test", "only a first \"off\" counts"},
		"upper case":            {"OFF", one, nil, "OFF,dao-test", "Kong's values are case-sensitive"},
		"reference":             {"$(A)", one, nil, "$(A),dao-test", "a reference may have any value"},
		"outdated plugin":       {"bundled,old,my", one, []string{"old"}, "bundled,my,dao-test", "it has no files"},
		"only outdated plugins": {"old", one, []string{"old"}, "dao-test", "the rest is an empty value"},
		"no-break space":        {"dao-test\u00a0", one, nil, "dao-test\u00a0,dao-test", "Lua's %s does not include it"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pluginsValue(test.old, test.plugins, test.outdated); got != test.want {
				t.Errorf("pluginsValue(%q, %q) = %q; want %q: %s", test.old, test.plugins, got, test.want, test.reason)
			}
		})
	}
}

// kongElements splits a KONG_PLUGINS as Kong does.
func kongElements(value string) []string {
	elements := strings.Split(strings.Trim(value, space), ",")
	for i := range elements {
		elements[i] = strings.Trim(elements[i], space)
	}
	return elements
}

// FuzzPluginsValue proves for any old value that Kong loads the plugin, and that other elements stay.
func FuzzPluginsValue(f *testing.F) {
	for _, seed := range []string{
		"", "off", "false", "true,x", "bundled,off", " a ,b,,c\n", ",", "dao-test", "off,", "\u00a0,x", "bundled,dao-test,",
	} {
		f.Add(seed, "dao-test")
	}
	f.Fuzz(func(t *testing.T, old, plugin string) {
		if plugin == "" || strings.Trim(plugin, space) != plugin || strings.Contains(plugin, ",") ||
			slices.Contains([]string{"off", "false", "true"}, plugin) {
			return // not a valid plugin name
		}
		got := pluginsValue(old, []string{plugin}, nil)
		elements := kongElements(got)
		if slices.Contains(elements, "") {
			t.Errorf("%q becomes %q, which has an empty element", old, got)
		}
		if !slices.Contains(elements, plugin) || elements[0] == "off" {
			t.Errorf("%q becomes %q, which does not load %q", old, got, plugin)
		}
		if again := pluginsValue(got, []string{plugin}, nil); again != got {
			t.Errorf("%q becomes %q, and then %q", old, got, again)
		}
		before := slices.DeleteFunc(kongElements(old), func(element string) bool { return element == "" })
		first := elements[:min(len(before), len(elements))]
		isReplaced := len(before) > 0 && slices.Contains([]string{"off", "false", "true"}, before[0])
		if len(before) > 0 && !isReplaced && !slices.Equal(before, first) {
			t.Errorf("%q becomes %q, which does not begin with the old elements", old, got)
		}
	})
}

// TestPackagePathValue proves which value KONG_LUA_PACKAGE_PATH gets. A second call must not change it.
func TestPackagePathValue(t *testing.T) {
	const complete = "/opt/?.lua;/opt/?/init.lua;;"
	for name, test := range map[string]struct{ old, want, reason string }{
		"unset":                {"", complete, ""},
		"complete":             {complete, complete, "Kong's chart sets this value"},
		"default":              {";;", complete, "Lua's default path is last"},
		"custom":               {"/a/?.lua;;", "/a/?.lua;" + complete, "the existing element is first"},
		"without default":      {"/a/?.lua", "/a/?.lua;" + complete, "Lua's default path is added"},
		"complete, no default": {"/opt/?.lua;/opt/?/init.lua", "/opt/?.lua;/opt/?/init.lua", "it may be intended"},
		"another order":        {"/opt/?/init.lua;;/opt/?.lua", "/opt/?/init.lua;;/opt/?.lua", "the order may be intended"},
		"one element":          {"/opt/?/init.lua;;", "/opt/?/init.lua;/opt/?.lua;;", "only the other one is added"},
		"default first":        {";;/a/?.lua", ";;/a/?.lua;/opt/?.lua;/opt/?/init.lua", "Lua's default path occurs once"},
		"space in an element": {
			"/opt/?.lua ;/opt/?/init.lua", "/opt/?.lua ;/opt/?/init.lua;/opt/?.lua;;",
			"Lua looks for a file with the space",
		},
		"space around the value": {
			" /opt/?.lua;/opt/?/init.lua\n", " /opt/?.lua;/opt/?/init.lua\n", "Kong strips the value",
		},
		"trailing newline": {"/a/?.lua;;\n", "/a/?.lua;" + complete, "there is no newline inside"},
		"similar element":  {"/opt/?.lua.bak;;", "/opt/?.lua.bak;" + complete, "it only begins like the right one"},
		"reference":        {"$(X)", "$(X);" + complete, "it stays first"},
	} {
		t.Run(name, func(t *testing.T) {
			got := packagePathValue(test.old)
			if got != test.want {
				t.Errorf("packagePathValue(%q) = %q; want %q: %s", test.old, got, test.want, test.reason)
			}
			if again := packagePathValue(got); again != got {
				t.Errorf("packagePathValue(%q) = %q, and then %q", test.old, got, again)
			}
		})
	}
}
