package mutate

import (
	"cmp"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
)

// KongContainer returns the container that stands for the pod's database, or nil if no Kong container has one. If there
// are several, one with Kong's image counts before others, a main container before an init container, and one that
// names its database before one that does not.
func KongContainer(pod Pod, request annotations.Request) *Container {
	targets, _ := findTargets(pod, request)
	targets = slices.DeleteFunc(targets, func(t target) bool { return !t.container.hasDatabase() })
	if len(targets) == 0 {
		return nil
	}
	return slices.MinFunc(targets, compareDatabases).container
}

// compareDatabases sorts first the container that stands for the pod's database. Kong's image decides first, because a
// container without it may be a client of Kong that knows the database.
func compareDatabases(a, b target) int {
	return cmp.Or(
		trueFirst(a.container.hasKongImage(), b.container.hasKongImage()),
		trueFirst(a.runsWithPod(), b.runsWithPod()),
		trueFirst(a.container.namesDatabase(), b.container.namesDatabase()),
	)
}

// namesDatabase reports whether the container has a variable for the host of its database.
func (c *Container) namesDatabase() bool {
	return c.Env.lookup(EnvHost) != nil || c.Env.lookup(EnvHost+fileSuffix) != nil
}

// trueFirst compares two booleans. True is before false.
func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// hasDatabase reports whether Kong in the container uses a database. It does not if KONG_DATABASE is off, and a data
// plane cannot use one (fact K18).
func (c *Container) hasDatabase() bool {
	database, role := c.Env.lookup(envDatabase), c.Env.lookup(envRole)
	return (database == nil || strings.Trim(database.Value, space) != "off") &&
		(role == nil || strings.Trim(role.Value, space) != "data_plane")
}

// Plugins returns the elements of KONG_PLUGINS. It returns false if the pod does not show the value.
func (c *Container) Plugins() ([]string, bool) {
	value := c.Env.lookup(envPlugins)
	switch {
	case value == nil && len(c.EnvFrom) == 0:
		return nil, true
	case value == nil || value.HasValueFrom || strings.Contains(value.Value, "$("):
		return nil, false
	}
	var names []string
	for element := range strings.SplitSeq(value.Value, ",") {
		names = append(names, strings.Trim(element, space))
	}
	return names, true
}
