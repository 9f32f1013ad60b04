package mutate

import (
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
)

// KongContainer returns the container that stands for the pod's database: the first Kong container with a database,
// main containers before init containers. It returns nil if no Kong container has one.
func KongContainer(pod Pod, request annotations.Request) *Container {
	targets, _ := findTargets(pod, request)
	var initContainer *Container
	for _, target := range targets {
		if !target.container.hasDatabase() {
			continue
		}
		if strings.HasPrefix(target.path, "/spec/containers/") {
			return target.container
		}
		if initContainer == nil {
			initContainer = target.container
		}
	}
	return initContainer
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
