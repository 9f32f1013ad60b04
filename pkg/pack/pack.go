// Package pack owns the way from a plugin's folder to labelled ConfigMaps, the
// sources that package catalog reads back: what was packed is, byte for byte,
// the folder that a gateway gets.
//
//	folder -> selectFiles -> place -> fill -> label -> verify -> ConfigMaps
//
// It is pure: the folder comes as contents by path. Everything that is wrong
// with it is said at once, and a folder that Kong would fail on is not packed.
package pack

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// Options choose the form of the ConfigMaps. The zero value is the form to
// have: immutable, versioned by the handler's VERSION, keys as Lua names its
// modules.
type Options struct {
	// Folder is what messages call the folder; the plugin's name without it.
	Folder string
	// Namespace is that of the ConfigMaps, "" for none.
	Namespace string
	// Version is used instead of the handler's VERSION.
	Version string
	// Flat gives the files the keys that "kubectl create configmap
	// --from-file" would: their names, migrations beside the rest.
	Flat bool
	// Mutable makes ConfigMaps to be edited: neither immutable nor named or
	// annotated with a digest.
	Mutable bool
}

// Packed is a folder as ConfigMaps.
type Packed struct {
	Plugin, Version string
	// Digest is that of the release, as catalog sees it.
	Digest string
	// ConfigMaps are in the order of their names' numbers.
	ConfigMaps []corev1.ConfigMap
	// Notes say what a person should know of it: what was left out, and how
	// large ConfigMaps have to be applied.
	Notes []string
}

// Budget is how much of a ConfigMap's 1 MiB (fact V6) is filled, in bytes of
// keys and contents: metadata and what others add to it have to fit as well.
const Budget = 900 << 10

// Pack makes ConfigMaps of the folder of a plugin, given as contents by
// slash-separated path. With denials there is nothing packed.
func Pack(plugin string, files map[string][]byte, options Options) (Packed, denial.List) {
	if options.Folder == "" {
		options.Folder = plugin
	}
	if err := annotations.ValidatePluginName(plugin); err != nil {
		return Packed{}, denial.List{denial.New(denial.BrokenPlugin,
			"folder %q: %v; rename it, or pack with --name", options.Folder, err)}
	}
	kept, notes := selectFiles(files)
	p := packer{plugin: plugin, files: kept, options: options}
	filled := p.fill(p.place())
	whole := len(p.denied) == 0
	p.chooseVersion()
	packed := Packed{Plugin: plugin, Version: p.version, Digest: catalog.DigestOf(kept)}
	packed.ConfigMaps = p.label(filled, packed.Digest)
	if whole { // else the catalog would miss files that are only denied
		p.verify(packed)
	}
	if len(p.denied) > 0 {
		return Packed{}, p.denied.Sorted()
	}
	packed.Notes = append(notes, sizeNotes(packed.ConfigMaps)...)
	return packed, nil
}

// packer is one folder under way. Its methods go on past what is wrong, so
// that all of it is found.
type packer struct {
	plugin  string
	files   map[string][]byte
	options Options
	version string
	denied  denial.List
}

func (p *packer) deny(format string, args ...any) {
	p.denied = append(p.denied, denial.New(denial.BrokenPlugin,
		"folder %s: %s", denial.Quote(p.options.Folder), fmt.Sprintf(format, args...)))
}

func (p *packer) paths() []string { return slices.Sorted(maps.Keys(p.files)) }
