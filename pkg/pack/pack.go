// Package pack turns a plugin's directory into labelled ConfigMaps, the sources that package catalog reads. A gateway
// gets exactly the packed files, byte for byte.
//
//	directory -> excludeFiles -> check -> layout -> fillConfigMaps -> setMetadata -> verify -> ConfigMaps
//
// The package is pure: callers pass the directory as contents by path. It reports all problems together. It packs a
// directory on which Kong would fail only if Options.Force is set.
package pack

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

// Options choose the form of the ConfigMaps. The zero value is the recommended form: immutable, with the handler's
// VERSION, and with the names of Lua modules as keys.
type Options struct {
	// Folder is the name of the directory in messages. The default is the plugin's name.
	Folder string
	// Namespace is the namespace of the ConfigMaps, or "" for none.
	Namespace string
	// Version overrides the handler's VERSION.
	Version string
	// KongVersion is the version of Kong that must load the plugin. The default is checks.NewestKong.
	KongVersion checks.KongVersion
	// Force packs a plugin with errors, and notes this in an annotation.
	Force bool
	// Exclude are patterns of files to leave out: see matchesAny.
	Exclude []string
	// Flat uses the keys of "kubectl create configmap --from-file": file names, without directories.
	Flat bool
	// Mutable creates ConfigMaps for editing: they are not immutable, and have no digest in their name and annotations.
	Mutable bool
}

// Packed is a plugin's directory as ConfigMaps.
type Packed struct {
	Plugin, Version string
	// Digest is the digest of the release, as package catalog computes it.
	Digest string
	// ConfigMaps are in the order of the numbers in their names.
	ConfigMaps []corev1.ConfigMap
	// Findings are what the checks found, with the errors if they were forced.
	Findings []checks.Finding
	// Warnings name the excluded files, and ConfigMaps that are too large for client-side apply.
	Warnings []string
}

// maxConfigMapBytes limits the keys and contents of a ConfigMap. A ConfigMap holds 1 MiB (fact V6). The rest is for
// metadata, also from other tools.
const maxConfigMapBytes = 900 << 10

// Pack creates the ConfigMaps for the directory of a plugin, given as contents by slash-separated path. With denials,
// it returns no ConfigMaps.
func Pack(plugin string, files map[string][]byte, options Options) (Packed, denial.List) {
	if options.Folder == "" {
		options.Folder = plugin
	}
	if err := annotations.ValidatePluginName(plugin); err != nil {
		return Packed{}, denial.List{denial.New(denial.BrokenPlugin,
			"folder %q: %v; rename it, or pack with --name", options.Folder, err)}
	}
	p := packer{plugin: plugin, options: options}
	p.excludeFiles(files)
	if p.denyOtherFolder() {
		return Packed{}, p.denials
	}
	findings := p.check()
	p.chooseVersion()
	configMaps := p.fillConfigMaps(p.layout())
	packed := Packed{Plugin: plugin, Version: p.version, Digest: catalog.DigestOf(p.files), Findings: findings}
	packed.ConfigMaps = p.setMetadata(configMaps, packed.Digest)
	if len(p.denials) == 0 { // otherwise the catalog would report denied files as missing
		p.verify(packed)
	}
	if len(p.denials) > 0 {
		return Packed{}, p.denials.Sorted()
	}
	packed.Warnings = append(p.warnings, sizeWarnings(packed.ConfigMaps)...)
	return packed, nil
}

// Read returns what the checks read of the directory of a plugin, and its files without those that are left out.
func Read(plugin string, files map[string][]byte, options Options) (checks.Release, map[string][]byte, denial.List) {
	if options.Folder == "" {
		options.Folder = plugin
	}
	p := packer{plugin: plugin, options: options}
	p.excludeFiles(files)
	p.denyOtherFolder()
	return p.release, p.files, p.denials
}

// packer holds the state of one Pack call. Its methods continue after a problem, so that they find all problems.
type packer struct {
	plugin  string
	files   map[string][]byte
	options Options
	version string
	// release is what the checks read.
	release  checks.Release
	denials  denial.List
	warnings []string
}

func (p *packer) deny(format string, args ...any) {
	p.denials = append(p.denials, denial.New(denial.BrokenPlugin,
		"folder %s: %s", denial.Quote(p.options.Folder), fmt.Sprintf(format, args...)))
}

func (p *packer) paths() []string { return slices.Sorted(maps.Keys(p.files)) }
