package pack

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// verify reads the ConfigMaps as the webhook does. It denies a release on which Kong would fail, and a release whose
// files have other paths than in the directory.
func (p *packer) verify(packed Packed) {
	sources := make([]catalog.Source, len(packed.ConfigMaps))
	for i := range packed.ConfigMaps {
		sources[i] = catalog.NewSource(&packed.ConfigMaps[i])
		// The user knows the directory, not the ConfigMaps: its name replaces theirs in the catalog's messages. The
		// digest is compared below.
		sources[i].Name, sources[i].Digest = p.options.Folder, ""
	}
	releases := catalog.Assemble(p.plugin, sources)
	release := releases[0]
	misplaced := p.misplacedFiles(release)
	if len(misplaced) > 0 {
		p.deny("in the flat form, %s; pack without --flat", strings.Join(misplaced, ", "))
		return
	}
	for _, denied := range release.Denials {
		if denied.Rule != "" {
			continue // check has reported it
		}
		p.denials = append(p.denials, denial.Denial{Reason: denied.Reason, Message: p.folderMessage(denied.Message)})
	}
	if len(p.denials) == 0 && release.Digest != packed.Digest {
		panic(fmt.Sprintf("pack: the ConfigMaps have the digest %s, but the directory has %s", release.Digest, packed.Digest))
	}
}

// misplacedFiles lists the files that the catalog reads at another path. This happens only in the flat form.
func (p *packer) misplacedFiles(release *catalog.Release) []string {
	pathOfKey := map[string]string{}
	for _, file := range release.Files {
		pathOfKey[file.Key] = file.Path
	}
	var misplaced []string
	for _, file := range p.paths() {
		_, key, _ := p.keyOf(file)
		if other := pathOfKey[key]; p.options.Flat && other != file {
			misplaced = append(misplaced, fmt.Sprintf("%q would be read as %q", file, other))
		}
	}
	return misplaced
}

// folderMessage turns a message of the catalog about ConfigMaps into a message about the directory.
func (p *packer) folderMessage(message string) string {
	quoted := denial.Quote(p.options.Folder)
	plugin := fmt.Sprintf("plugin %q: ", p.plugin)
	versioned := fmt.Sprintf("plugin %q: ", p.plugin+"@"+p.version)
	message = strings.TrimPrefix(strings.TrimPrefix(message, plugin), versioned)
	for _, in := range []string{" in ConfigMaps ", " in ConfigMap "} {
		message = strings.ReplaceAll(message, in+quoted, "")
	}
	return "folder " + quoted + ": " + message
}
