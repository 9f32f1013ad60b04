package catalog

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// Limits of what the catalog keeps and checks. Plugins are far below them: large ones have a few hundred files. Without
// limits, anyone who can write ConfigMaps can use up the memory and the CPU of the process. The API server limits only
// the values of a ConfigMap, not its keys (fact P7). docs/reference.md lists the limits.
const (
	// MaxKeys limits the keys of a source. Of a larger source, the catalog keeps no keys.
	MaxKeys = 1000
	// maxFiles limits the keys of all sources of a release.
	maxFiles = 2000
	// maxPluginSources limits the sources of a plugin in a namespace, of all versions together.
	maxPluginSources = 1000
	// maxNamespaceSources limits the sources in a namespace.
	maxNamespaceSources = 5000
	// MaxNamespaceBytes limits the memory for the sources in a namespace, as Source.Bytes counts it.
	MaxNamespaceBytes = 8 << 20
	// maxReadBytes limits the Lua files of a source that are read for the checks. What other files do is unknown.
	maxReadBytes = 512 << 10
	// maxReleaseFindings limits the findings of a release that are kept.
	maxReleaseFindings = 50
	// maxValueBytes limits the values of annotations that the catalog keeps.
	maxValueBytes = 1 << 10
	// maxReleaseDenials limits the denials of a release. One more says how many are omitted.
	maxReleaseDenials = 20
)

// Approximate bytes of memory for a source and for a key, without their strings. A key counts with its file in a
// release.
const (
	sourceBytes = 1 << 10
	keyBytes    = 256
)

// countBytes returns the approximate memory that a source needs in the catalog.
func (s *Source) countBytes() int {
	bytes := sourceBytes
	for i := range s.Keys {
		key := &s.Keys[i]
		bytes += keyBytes + len(key.Name)
		bytes += key.Summary.Size()
	}
	return bytes
}

// WithoutKeys returns the source without its keys, which need most of the memory. Its release is denied until
// Index.Restore restores it.
func (s Source) WithoutKeys() Source {
	s.Keys, s.Incomplete = nil, true
	return s
}

// denyExcess denies sources that the catalog cannot assemble: one denial names the first of them. It reports whether
// there are any.
func (r *assembledRelease) denyExcess(sources []Source) bool {
	var excess, incomplete []string
	keys, reason := 0, ""
	for i := range sources {
		source := &sources[i]
		keys += len(source.Keys)
		if source.Excess != "" {
			if len(excess) == 0 {
				reason = source.Excess
			}
			excess = append(excess, source.Name)
		}
		if source.Incomplete {
			incomplete = append(incomplete, source.Name)
		}
	}
	switch {
	case len(excess) == 1:
		r.deny(denial.LimitExceeded, "%s %s", denial.QuoteConfigMaps(excess), reason)
	case len(excess) > 1:
		r.deny(denial.LimitExceeded, "%s are over a limit; the first %s", denial.QuoteConfigMaps(excess), reason)
	case keys > maxFiles:
		r.deny(denial.LimitExceeded, "its ConfigMaps have %d keys, but the limit of a release is %d; "+
			"delete files that Kong does not load, or put some of them into Kong's image", keys, maxFiles)
	case len(incomplete) > 0:
		r.deny(denial.LimitExceeded,
			"%s must be read again, because namespace %q was over a limit; try again in some seconds",
			denial.QuoteConfigMaps(incomplete), sources[0].Namespace)
	default:
		return false
	}
	return true
}

// tooManySources returns the release that stands for all versions of a plugin with too many sources.
func tooManySources(namespace, plugin string, sources int) *Release {
	return allVersions(plugin, "namespace %q has %d ConfigMaps with the label %s=%s, but the limit is %d; "+
		"delete those of versions that no pod uses", namespace, sources, annotations.Plugin, plugin, maxPluginSources)
}

// usage is what the sources of a namespace need.
type usage struct{ sources, bytes, incomplete int }

// add adds a source, or removes it with the sign -1.
func (u *usage) add(source Source, sign int) {
	u.sources += sign
	u.bytes += sign * source.Bytes
	if source.Incomplete {
		u.incomplete += sign
	}
}

func (u *usage) isOverLimit() bool {
	return u != nil && (u.sources > maxNamespaceSources || u.bytes > MaxNamespaceBytes)
}

// deniedRelease returns the release that stands for all versions of a plugin in a namespace over its limits.
func (u *usage) deniedRelease(namespace, plugin string) *Release {
	if u.sources > maxNamespaceSources {
		return allVersions(plugin, "namespace %q has %d ConfigMaps with the label %s, but the limit is %d; "+
			"delete some, or move plugins to another namespace", namespace, u.sources, annotations.Plugin, maxNamespaceSources)
	}
	return allVersions(plugin, "the ConfigMaps with the label %s in namespace %q need %d bytes of memory, "+
		"but the limit is %d; delete some, or move plugins to another namespace",
		annotations.Plugin, namespace, u.bytes, MaxNamespaceBytes)
}

func allVersions(plugin, format string, args ...any) *Release {
	return &Release{Plugin: plugin, AllVersions: true, Denials: denial.List{
		denial.New(denial.LimitExceeded, "plugin %q: %s", plugin, fmt.Sprintf(format, args...)),
	}}
}

// limitValue returns a value of a ConfigMap, without the memory of a value that is too long. Of that, it returns the
// beginning, and what is wrong with it.
func limitValue(name, value string) (limited, excess string) {
	if len(value) <= maxValueBytes {
		return value, ""
	}
	return strings.Clone(value[:64]), fmt.Sprintf(
		"has a value of %d bytes for %s, but the limit is %d; shorten it", len(value), name, maxValueBytes)
}
