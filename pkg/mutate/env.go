package mutate

import (
	"cmp"
	"slices"
	"strconv"
)

// edit is the change of one variable of a container.
type edit struct {
	name  string
	value string
	// old is the variable to change, nil for a new variable.
	old *Variable
}

// position returns the index of the variable to change, -1 for a new variable.
func (e edit) position() int {
	if e.old == nil {
		return -1
	}
	return e.old.Index
}

// injectEnv patches KONG_PLUGINS and KONG_LUA_PACKAGE_PATH of a container, so that Kong finds and loads the plugins.
func (i *injector) injectEnv(target target) {
	plugins, outdated := i.layout.plugins, i.outdatedPlugins(target.container)
	withPlugins := func(old string) string { return pluginsValue(old, plugins, outdated) }
	edits := make([]edit, 0, 2)
	edits = i.appendEdit(edits, target.container, envPlugins, "bundled", withPlugins)
	edits = i.appendEdit(edits, target.container, envPackagePath, "", packagePathValue)
	i.editEnv(target, edits)
}

// appendEdit appends the change of one variable to the value for its old value, if this is a change. For Kong, an unset
// variable has a default.
func (i *injector) appendEdit(
	edits []edit, container *Container, name, unset string, value func(old string) string,
) []edit {
	old := container.Env.lookup(name)
	change := edit{name: name, old: old}
	switch {
	case old == nil:
		change.value = value(unset)
		i.warnings.addOverridden(container, change)
		i.warnings.addHidden(container, change)
	case old.HasValueFrom:
		change.value = value("$(" + helperName(name) + ")")
		i.warnings.addValueFrom(container, change)
	default:
		change.value = value(old.Value)
		if change.value == old.Value {
			return edits
		}
		i.warnings.addReplaced(container, change)
	}
	return append(edits, change)
}

// editEnv patches the variables from the last to the first, because an inserted variable moves those after it.
func (i *injector) editEnv(target target, edits []edit) {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(b.position(), a.position()) })
	list := target.path + "/env"
	var added []envVar
	for _, change := range edits {
		switch {
		case change.old == nil:
			added = append(added, envVar{change.name, change.value})
		case change.old.HasValueFrom:
			// Rename the old variable to the helper, and insert the new one after it. A variable can refer only to
			// variables before it, and variables after it may refer to it (fact P2).
			i.patch = append(i.patch,
				replace(list+"/"+strconv.Itoa(change.old.Index)+"/name", helperName(change.name)),
				add(list+"/"+strconv.Itoa(change.old.Index+1), envVar{change.name, change.value}))
		default:
			// "add" also replaces a value. "replace" would fail if the variable has no member "value".
			i.patch = append(i.patch, add(list+"/"+strconv.Itoa(change.old.Index)+"/value", change.value))
		}
	}
	i.patch = appendAll(i.patch, list, target.container.Env.Len, added)
}

// envVar is a variable in a patch.
type envVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
