package pack

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// verify reads the ConfigMaps as the webhook will: the release must be one
// that Kong does not fail on (facts K5 to K7), and hold the folder's files
// under their own paths.
func (p *packer) verify(packed Packed) {
	sources := make([]catalog.Source, len(packed.ConfigMaps))
	for i := range packed.ConfigMaps {
		sources[i] = catalog.NewSource(&packed.ConfigMaps[i])
		// People know the folder: its name stands where the catalog's
		// messages name ConfigMaps. The digest is compared below.
		sources[i].Name, sources[i].Digest = p.options.Folder, ""
	}
	release := &catalog.Release{}
	if assembled := catalog.Assemble(p.plugin, sources); len(assembled) > 0 {
		release = assembled[0]
	} else {
		p.deny("holds no files; name the folder that handler.lua is in")
		return
	}
	misplaced := p.misplaced(release)
	if len(misplaced) > 0 {
		p.deny("in the flat form %s; pack without --flat", strings.Join(misplaced, ", "))
		return
	}
	for _, denied := range release.Denials {
		p.denied = append(p.denied, denial.Denial{Reason: denied.Reason, Message: p.inWordsOfFolders(denied.Message)})
	}
	if len(p.denied) == 0 && release.Digest != packed.Digest {
		panic(fmt.Sprintf("pack: the release reads back as %s, the folder is %s", release.Digest, packed.Digest))
	}
}

// misplaced lists the files that the catalog would put elsewhere: only flat
// keys are guessed at.
func (p *packer) misplaced(release *catalog.Release) []string {
	found := map[string]string{}
	for _, file := range release.Files {
		found[file.Key] = file.Path
	}
	var misplaced []string
	for _, file := range p.paths() {
		_, key, _ := p.keyOf(file)
		if other := found[key]; p.options.Flat && other != file {
			misplaced = append(misplaced, fmt.Sprintf("%q would be read as %q", file, other))
		}
	}
	return misplaced
}

// inWordsOfFolders turns a message of the catalog about ConfigMaps that are
// called like the folder into one about the folder.
func (p *packer) inWordsOfFolders(message string) string {
	quoted := denial.Quote(p.options.Folder)
	plugin := "plugin " + fmt.Sprintf("%q: ", p.plugin)
	versioned := "plugin " + fmt.Sprintf("%q: ", p.plugin+"@"+p.version)
	message = strings.TrimPrefix(strings.TrimPrefix(message, plugin), versioned)
	for _, in := range []string{" in ConfigMaps ", " in ConfigMap "} {
		message = strings.ReplaceAll(message, in+quoted, "")
	}
	return "folder " + quoted + ": " + message
}
