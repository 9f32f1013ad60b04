package mutate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// notes gathers warnings. What is to be said of several containers alike, as
// with the three of Kong's chart, becomes one sentence.
type notes struct {
	plain []string
	// denied is what only the pod's own mounts show.
	denied denial.List
	// containers lists by sentence the containers of which it is to be said.
	containers map[string][]string
}

func (n *notes) of(container *Container, format string, args ...any) {
	if n.containers == nil {
		n.containers = map[string][]string{}
	}
	sentence := fmt.Sprintf(format, args...)
	n.containers[sentence] = append(n.containers[sentence], container.Name)
}

// sentences yields the warnings, sorted.
func (n *notes) sentences() []string {
	sentences := n.plain
	for _, sentence := range slices.Sorted(maps.Keys(n.containers)) {
		names := n.containers[sentence]
		subject := "container "
		if len(names) > 1 {
			subject = "containers "
		}
		sentences = append(sentences, subject+denial.QuoteNames(names)+": "+sentence)
	}
	slices.Sort(sentences)
	return sentences
}

// releases notes the sources that can change under a running pod.
func (n *notes) releases(releases []*catalog.Release) {
	for _, release := range releases {
		var mutable []string
		for _, file := range release.Files {
			if !file.Immutable && !slices.Contains(mutable, file.Source) {
				mutable = append(mutable, file.Source)
			}
		}
		if len(mutable) == 0 {
			continue
		}
		subject := "ConfigMap " + denial.QuoteNames(mutable) + " is"
		if len(mutable) > 1 {
			subject = "ConfigMaps " + denial.QuoteNames(mutable) + " are"
		}
		n.plain = append(n.plain, fmt.Sprintf(
			"plugin %q: %s not immutable: edits reach running pods, and Kong never runs an edited migration again; \"kubectl kongdao pack\" makes immutable ones",
			release.Plugin, subject))
	}
}

// modes notes plugins with entities where Kong has no database for them (K18).
func (n *notes) modes(container *Container, releases []*catalog.Release) {
	why := ""
	role := container.Env.lookup(envRole)
	database := container.Env.lookup(envDatabase)
	switch {
	case role != nil && strings.Trim(role.Value, space) == "data_plane":
		why = "KONG_ROLE is data_plane, where the entities of %s can be read and never written"
	case database != nil && strings.Trim(database.Value, space) == "off":
		why = "KONG_DATABASE is off, and requests that write the entities of %s answer 500"
	default:
		return
	}
	var plugins []string
	for _, release := range releases {
		if release.HasEntities() {
			plugins = append(plugins, release.Plugin)
		}
	}
	if len(plugins) > 0 {
		n.of(container, why, "plugin "+denial.QuoteNames(plugins))
	}
}

// overridden notes a variable that envFrom may bring and that an explicit one
// now overrides (P2).
func (n *notes) overridden(container *Container, change edit) {
	for _, from := range container.EnvFrom {
		if strings.HasPrefix(change.name, from.Prefix) {
			n.of(container, "a %s that comes from %s (envFrom) is overridden by %q; to keep it, name it in env with valueFrom",
				change.name, from.Origin, change.value)
		}
	}
}

// expanded notes a value that nobody can see here.
func (n *notes) expanded(container *Container, change edit) {
	if change.name == envPlugins {
		n.of(container, "%s comes from elsewhere (valueFrom) and becomes %q; with an empty or missing value there Kong does not start, and \"off\" there does not keep the plugin off",
			change.name, change.value)
	}
}

// switchedOn notes that KONG_PLUGINS was "off".
func (n *notes) switchedOn(container *Container, change edit) {
	if change.name == envPlugins && isOff(change.old.Value) {
		n.of(container, "%s was %q and becomes %q", change.name, change.old.Value, change.value)
	}
}

// nested notes a mount inside one that the pod brings. The kubelet makes the
// place for it in whole volumes that it writes itself (V3), and cannot in a
// subPath of one (V4). In other volumes the folder has to be there.
func (n *notes) nested(container *Container, inner mount, outer *corev1.VolumeMount, source string) {
	whole := outer.SubPath == "" && outer.SubPathExpr == ""
	switch source {
	case "":
		// The API server denies a pod that mounts a volume it does not have.
	case "configMap", "secret", "projected", "downwardAPI":
		if !whole {
			n.denied = append(n.denied, denial.New(denial.BlockedMount,
				"container %q mounts volume %q at %q by subPath, in which %q cannot be mounted; remove that mount, for kongdao brings the plugin whole, or mount the whole volume",
				container.Name, outer.Name, outer.MountPath, inner.MountPath))
		}
	case "emptyDir":
		if whole {
			return
		}
		fallthrough
	default:
		n.of(container, "volume %q, mounted at %q, has to hold the folder %q; without it no container starts",
			outer.Name, outer.MountPath, inner.MountPath)
	}
}
