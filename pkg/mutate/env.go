package mutate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// edit is a change of one variable of a container.
type edit struct {
	name  string
	value string
	// old is the entry that it changes, nil where there is none.
	old *Variable
}

// injectEnv appends the operations that make the container's variables name
// the plugins and the path along which Kong finds them.
func (t target) injectEnv(patch []Operation, plugins []string, found *notes) []Operation {
	env, outdated := &t.container.Env, t.outdated(plugins)
	edits := make([]edit, 0, 2)
	for _, variable := range []struct {
		name  string
		value func(old string) string
	}{
		{envPlugins, func(old string) string { return pluginsValue(old, plugins, outdated) }},
		{envPackagePath, packagePathValue},
	} {
		old := env.lookup(variable.name)
		change := edit{name: variable.name, old: old}
		switch {
		case old == nil:
			change.value = variable.value("")
			found.overridden(t.container, change)
		case old.FromElsewhere:
			change.value = variable.value("$(" + helperName(variable.name) + ")")
			found.expanded(t.container, change)
		default:
			change.value = variable.value(old.Value)
			if change.value == old.Value {
				continue
			}
			found.switchedOn(t.container, change)
		}
		edits = append(edits, change)
	}
	return t.editEnv(patch, edits)
}

// editEnv writes the edits down from the last entry to the first, for an
// inserted entry moves those behind it.
func (t target) editEnv(patch []Operation, edits []edit) []Operation {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(position(b), position(a)) })
	list := t.path + "/env"
	var appended []envVar
	for _, change := range edits {
		switch {
		case change.old == nil:
			appended = append(appended, envVar{change.name, change.value})
		case change.old.FromElsewhere:
			// The old entry keeps its place under another name, and the new one
			// stands right behind it: what stands further behind may refer to
			// it, and it can refer to what stands before (P2).
			patch = append(patch,
				replace(list+"/"+strconv.Itoa(change.old.Index)+"/name", helperName(change.name)),
				add(list+"/"+strconv.Itoa(change.old.Index+1), envVar{change.name, change.value}))
		default:
			// "add" also replaces, and an entry without a value has no member to replace.
			patch = append(patch, add(list+"/"+strconv.Itoa(change.old.Index)+"/value", change.value))
		}
	}
	return appendAll(patch, list, t.container.Env.Len, appended)
}

func position(change edit) int {
	if change.old == nil {
		return -1
	}
	return change.old.Index
}

// space is what Kong strips from a value and from its elements: Lua's %s.
const space = " \t\n\v\f\r"

// pluginsValue is KONG_PLUGINS with the plugins in it. What is there stays, in
// its order; unset or empty means "bundled"; "off" as the first element means
// that nothing is loaded, so nothing of it stays. An empty element, which
// keeps Kong from starting, never results. The outdated ones are taken out:
// their files are no longer there.
func pluginsValue(old string, plugins, outdated []string) string {
	var elements []string
	tidy := true
	for element := range strings.SplitSeq(old, ",") {
		if element = strings.Trim(element, space); element == "" || slices.Contains(outdated, element) {
			tidy = false
			continue
		}
		elements = append(elements, element)
	}
	switch {
	case len(elements) == 0:
		elements, tidy = append(elements, "bundled"), false
	case elements[0] == "off":
		elements, tidy = nil, false
	}
	has := make(map[string]bool, len(elements))
	for _, element := range elements {
		has[element] = true
	}
	var missing []string
	for _, plugin := range plugins {
		if !has[plugin] {
			missing = append(missing, plugin)
		}
	}
	switch {
	case !tidy:
		return strings.Join(append(elements, missing...), ",")
	case len(missing) == 0:
		return old
	}
	return strings.TrimRight(old, space) + "," + strings.Join(missing, ",")
}

// packagePathValue is KONG_LUA_PACKAGE_PATH with the elements in it that lead
// to /opt/kong/plugins (K1). What is there stays first.
func packagePathValue(old string) string {
	var missing []string
	// Kong strips the whole value, and Lua takes an element as it stands.
	elements := strings.Split(strings.Trim(old, space), ";")
	for _, wanted := range []string{"/opt/?.lua", "/opt/?/init.lua"} {
		if !slices.Contains(elements, wanted) {
			missing = append(missing, wanted)
		}
	}
	if len(missing) == 0 {
		return old
	}
	before := strings.TrimRight(strings.TrimRight(old, space), ";")
	if strings.Trim(before, space) != "" {
		missing = slices.Insert(missing, 0, before)
	}
	value := strings.Join(missing, ";")
	if strings.Contains(before, ";;") {
		return value // Lua puts its own path there already
	}
	return value + ";;"
}

// isOff reports whether a KONG_PLUGINS loads nothing.
func isOff(value string) bool {
	for element := range strings.SplitSeq(value, ",") {
		if element = strings.Trim(element, space); element != "" {
			return element == "off"
		}
	}
	return false
}

// envVar is an entry of a container's env as a patch writes it.
type envVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
