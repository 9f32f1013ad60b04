package mutate

import (
	"slices"
	"strings"
)

// space is what Kong strips from values and their elements: the characters of Lua's %s.
const space = " \t\n\v\f\r"

// pluginsValue returns KONG_PLUGINS with the plugins added. Existing elements stay in their order. A value that loads
// nothing is replaced: an empty one, and "off" as the first element. Helm renders off and on as "false" and "true",
// which mean "off" and "bundled" here. The result has no empty element, because Kong does not start with one. Outdated
// plugins are removed, because their files are removed.
func pluginsValue(old string, plugins, outdated []string) string {
	var elements []string
	isTidy := true
	for element := range strings.SplitSeq(old, ",") {
		if element = strings.Trim(element, space); element == "" || slices.Contains(outdated, element) {
			isTidy = false
			continue
		}
		elements = append(elements, element)
	}
	switch {
	case len(elements) == 0:
		isTidy = false
	case elements[0] == "off", elements[0] == "false":
		elements, isTidy = nil, false
	case elements[0] == "true":
		elements[0], isTidy = "bundled", false
	}
	existing := make(map[string]bool, len(elements))
	for _, element := range elements {
		existing[element] = true
	}
	var missing []string
	for _, plugin := range plugins {
		if !existing[plugin] {
			missing = append(missing, plugin)
		}
	}
	switch {
	case !isTidy:
		return strings.Join(append(elements, missing...), ",")
	case len(missing) == 0:
		return old
	}
	return strings.TrimRight(old, space) + "," + strings.Join(missing, ",")
}

// replacedBecause says why an injection replaces what a KONG_PLUGINS begins with. It returns "" if it does not.
func replacedBecause(value string) string {
	for element := range strings.SplitSeq(value, ",") {
		switch strings.Trim(element, space) {
		case "":
			continue
		case "off":
			return `"off" disables all plugins`
		case "false":
			return `Kong takes "false", which is how Helm renders off, for the name of a plugin`
		case "true":
			return `Kong takes "true", which is how Helm renders on, for the name of a plugin`
		}
		return ""
	}
	return "an empty value disables all plugins"
}

// packagePathValue returns KONG_LUA_PACKAGE_PATH with the elements added that Lua needs. With these, Lua finds plugins
// in /opt/kong/plugins (fact K1). Existing elements stay first.
func packagePathValue(old string) string {
	var missing []string
	// Kong strips the whole value, but Lua does not strip the elements.
	elements := strings.Split(strings.Trim(old, space), ";")
	for _, element := range []string{"/opt/?.lua", "/opt/?/init.lua"} {
		if !slices.Contains(elements, element) {
			missing = append(missing, element)
		}
	}
	if len(missing) == 0 {
		return old
	}
	existing := strings.TrimRight(strings.TrimRight(old, space), ";")
	if strings.Trim(existing, space) != "" {
		missing = slices.Insert(missing, 0, existing)
	}
	value := strings.Join(missing, ";")
	if strings.Contains(existing, ";;") {
		return value // Lua already inserts its default path at the ";;"
	}
	return value + ";;"
}
