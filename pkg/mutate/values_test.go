package mutate

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPluginsValue(t *testing.T) {
	one := []string{"dao-test"}
	for name, test := range map[string]struct {
		old      string
		plugins  []string
		outdated []string
		want     string
		reason   string
	}{
		"unset":                  {"", one, nil, "bundled,dao-test", "unset or empty is bundled"},
		"spaces":                 {" \t\n", one, nil, "bundled,dao-test", "Kong strips the value"},
		"appended":               {"bundled", one, nil, "bundled,dao-test", "what is missing goes to the end"},
		"in order":               {"b", []string{"z", "a", "b"}, nil, "b,z,a", "in the request's order"},
		"present":                {"x, dao-test ,y", one, nil, "x, dao-test ,y", "nothing to do changes nothing"},
		"all present":            {"b,a", []string{"a", "b"}, nil, "b,a", "in any order"},
		"trailing newline":       {"bundled\n", one, nil, "bundled,dao-test", "no line breaks inside what is added"},
		"empty element":          {"a,,b", one, nil, "a,b,dao-test", "on plugin '' Kong does not start"},
		"empty element, present": {"a,,dao-test", one, nil, "a,dao-test", "also where nothing is missing"},
		"blank element":          {"a, ,b", one, nil, "a,b,dao-test", "a blank element is empty to Kong"},
		"vertical tab":           {"a,\v,b", one, nil, "a,b,dao-test", "Lua's %s knows vertical tabs"},
		"leading comma":          {",a", one, nil, "a,dao-test", "also in front"},
		"commas":                 {",,,", one, nil, "bundled,dao-test", "nothing but empty elements is empty"},
		"off":                    {"off", one, nil, "dao-test", "off loads nothing, so nothing stays"},
		"off, more":              {"off,key-auth", one, nil, "dao-test", "what stands behind off was not loaded"},
		"off, present":           {"off,dao-test", one, nil, "dao-test", "nor was the plugin"},
		"off later":              {"key-auth,off", one, nil, "key-auth,off,dao-test", "later it means nothing"},
		"OFF":                    {"OFF", one, nil, "OFF,dao-test", "Kong compares by case"},
		"reference":              {"$(A)", one, nil, "$(A),dao-test", "a reference may be anything, and stays"},
		"outdated":               {"bundled,old,my", one, []string{"old"}, "bundled,my,dao-test", "a plugin whose folder goes would keep Kong from starting"},
		"outdated alone":         {"old", one, []string{"old"}, "bundled,dao-test", "nothing left is as if unset"},
		"no-break space":         {"dao-test\u00a0", one, nil, "dao-test\u00a0,dao-test", "Lua does not strip it, so it is another name"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pluginsValue(test.old, test.plugins, test.outdated); got != test.want {
				t.Errorf("pluginsValue(%q, %q) = %q; want %q: %s", test.old, test.plugins, got, test.want, test.reason)
			}
		})
	}
}

// kongElements splits a KONG_PLUGINS as Kong does: at commas, each stripped of
// what Lua's %s knows.
func kongElements(value string) []string {
	elements := strings.Split(strings.Trim(value, space), ",")
	for i := range elements {
		elements[i] = strings.Trim(elements[i], space)
	}
	return elements
}

func FuzzPluginsValue(f *testing.F) {
	for _, seed := range []string{"", "off", "bundled,off", " a ,b,,c\n", ",", "dao-test", "off,", "\u00a0,x", "bundled,dao-test,"} {
		f.Add(seed, "dao-test")
	}
	f.Fuzz(func(t *testing.T, old, plugin string) {
		if plugin == "" || strings.Trim(plugin, space) != plugin || strings.Contains(plugin, ",") || plugin == "off" {
			return // no plugin has such a name
		}
		got := pluginsValue(old, []string{plugin}, nil)
		elements := kongElements(got)
		if slices.Contains(elements, "") {
			t.Errorf("%q becomes %q, with an empty element", old, got)
		}
		if !slices.Contains(elements, plugin) || elements[0] == "off" {
			t.Errorf("%q becomes %q, which does not load %q", old, got, plugin)
		}
		if again := pluginsValue(got, []string{plugin}, nil); again != got {
			t.Errorf("%q becomes %q and then %q", old, got, again)
		}
		before := slices.DeleteFunc(kongElements(old), func(element string) bool { return element == "" })
		if len(before) > 0 && before[0] != "off" && !slices.Equal(before, elements[:min(len(before), len(elements))]) {
			t.Errorf("%q becomes %q: what was there is not in front, in its order", old, got)
		}
	})
}

func TestPackagePathValue(t *testing.T) {
	const whole = "/opt/?.lua;/opt/?/init.lua;;"
	for name, test := range map[string]struct{ old, want, reason string }{
		"unset":          {"", whole, "the chart's value"},
		"chart":          {whole, whole, "enough already"},
		"default":        {";;", whole, "Lua's own path stays last"},
		"custom":         {"/a/?.lua;;", "/a/?.lua;" + whole, "what is there stays first"},
		"no default":     {"/a/?.lua", "/a/?.lua;" + whole, "and gets Lua's own path"},
		"whole, no ;;":   {"/opt/?.lua;/opt/?/init.lua", "/opt/?.lua;/opt/?/init.lua", "without ;; on purpose, perhaps"},
		"other order":    {"/opt/?/init.lua;;/opt/?.lua", "/opt/?/init.lua;;/opt/?.lua", "the order is the user's"},
		"half":           {"/opt/?/init.lua;;", "/opt/?/init.lua;/opt/?.lua;;", "only what is missing"},
		"default first":  {";;/a/?.lua", ";;/a/?.lua;/opt/?.lua;/opt/?/init.lua", "Lua's own path once"},
		"inner spaces":   {"/opt/?.lua ;/opt/?/init.lua", "/opt/?.lua ;/opt/?/init.lua;/opt/?.lua;;", "Lua looks for a file with that space"},
		"outer spaces":   {" /opt/?.lua;/opt/?/init.lua\n", " /opt/?.lua;/opt/?/init.lua\n", "Kong strips the value"},
		"newline behind": {"/a/?.lua;;\n", "/a/?.lua;" + whole, "no line break inside"},
		"prefix":         {"/opt/?.lua.bak;;", "/opt/?.lua.bak;" + whole, "only begins like ours"},
		"reference":      {"$(X)", "$(X);" + whole, "whatever it is, it stays first"},
	} {
		t.Run(name, func(t *testing.T) {
			got := packagePathValue(test.old)
			if got != test.want {
				t.Errorf("packagePathValue(%q) = %q; want %q: %s", test.old, got, test.want, test.reason)
			}
			if again := packagePathValue(got); again != got {
				t.Errorf("packagePathValue(%q) = %q and then %q", test.old, got, again)
			}
		})
	}
}

// TestVolumeName proves that no two plugins' volumes have one name, that of
// one's migrations included, and that each is a DNS label.
func TestVolumeName(t *testing.T) {
	long := strings.Repeat("a", 43)
	names := []string{
		"dao-test", "dao_test", "DAO-TEST", "Dao-Test", "daotest", "dao-test-migrations", "dao_test-migrations", "dao_test_migrations",
		"migrations", "x-migrations", "x-migrations-migrations", "Migrations", "x", "X", "1", "migrations-migrations",
		"0123456789", "x-0123456789", "x-abcdef0123", "X-abcdef0123", "x-abcdef0123-migrations",
		long, long + "b", long[:42], long[:42] + "-b", long + strings.Repeat("b", 20), long + strings.Repeat("c", 20), strings.Repeat("a", 63),
		strings.Repeat("a_", 31) + "a", strings.Repeat("a-", 31) + "a", "a--b", "a-_b", "a__b", "a-" + strings.Repeat("-", 50) + "b",
	}
	for _, name := range slices.Clone(names) { // as if a plugin were called like another one's volume
		if plugin := strings.TrimPrefix(volumeName(name), volumePrefix); !slices.Contains(names, plugin) {
			names = append(names, plugin)
		}
	}
	label := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	of := map[string]string{migrationsVolume: "the volume that immutable plugins share"}
	for _, name := range names {
		for _, volume := range []string{volumeName(name), volumeName(name) + "-migrations"} {
			if len(volume) > 63 || !label.MatchString(volume) {
				t.Errorf("plugin %q has volume %q (%d), which is no DNS label", name, volume, len(volume))
			}
			if other, taken := of[volume]; taken {
				t.Errorf("plugins %q and %q both have volume %q", other, name, volume)
			}
			of[volume] = name
		}
	}
	if got := volumeName("dao-test"); got != "kongdao-dao-test" {
		t.Errorf("a name that fits is changed: %q", got)
	}
}

func TestImageName(t *testing.T) {
	for image, want := range map[string]string{
		"":     "",
		"kong": "kong", "kong:3.9": "kong", "kong@sha256:00": "kong", "kong:3.9@sha256:00": "kong",
		"kong/kong-gateway:3.10": "kong-gateway", "r.example:5000/kong": "kong", "r.example:5000/a/b/kong:1@sha256:00": "kong",
		"kong/deck": "deck", "kong:5000/deck": "deck", "kong-foo:1": "kong-foo", "kong/": "",
	} {
		if got := imageName(image); got != want {
			t.Errorf("imageName(%q) = %q; want %q, its last path element without tag and digest", image, got, want)
		}
	}
}

func TestEscapePointer(t *testing.T) {
	for name, want := range map[string]string{"a": "a", "a/b": "a~1b", "a~b": "a~0b", "~1": "~01", "/~/": "~1~0~1"} {
		if got := EscapePointer(name); got != want {
			t.Errorf("EscapePointer(%q) = %q; want %q (RFC 6901)", name, got, want)
		}
	}
}
