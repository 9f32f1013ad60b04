package mutate

import (
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
)

// KongContainer yields the container whose database a pod is about: the first of
// those that run Kong which has one, a main container before an init container;
// nil where none has.
func KongContainer(pod Pod, request annotations.Request) *Container {
	targets, _ := findContainers(pod, request)
	var found *Container
	for _, target := range targets {
		if !target.container.HasDatabase() {
			continue
		}
		if strings.HasPrefix(target.path, "/spec/containers/") {
			return target.container
		}
		if found == nil {
			found = target.container
		}
	}
	return found
}

// HasDatabase reports whether Kong in the container has a database of its own:
// not with KONG_DATABASE off, nor on a data plane (K18).
func (c *Container) HasDatabase() bool {
	database, role := c.Env.lookup(envDatabase), c.Env.lookup(envRole)
	return (database == nil || strings.Trim(database.Value, space) != "off") &&
		(role == nil || strings.Trim(role.Value, space) != "data_plane")
}

// Plugins yields the plugins that Kong in the container loads, as KONG_PLUGINS
// names them; false where the pod does not say.
func (c *Container) Plugins() ([]string, bool) {
	value := c.Env.lookup(envPlugins)
	switch {
	case value == nil && len(c.EnvFrom) == 0:
		return nil, true
	case value == nil || value.FromElsewhere || strings.Contains(value.Value, "$("):
		return nil, false
	}
	var names []string
	for element := range strings.SplitSeq(value.Value, ",") {
		names = append(names, strings.Trim(element, space))
	}
	return names, true
}
