package pack

import (
	"fmt"
	"path"
	"strings"

	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

// maxSuggestedFolders limits the folders in a message.
const maxSuggestedFolders = 5

// denyOtherFolder denies an empty directory, and the directory of a repository, which has the plugin in another
// directory.
func (p *packer) denyOtherFolder() bool {
	if len(p.files) == 0 {
		p.deny("has no files; use the directory that contains %s", checks.HandlerFile)
		return true
	}
	if _, exists := p.files[checks.HandlerFile]; exists {
		return false
	}
	var folders []string
	for _, file := range p.paths() {
		if path.Base(file) == checks.HandlerFile && len(folders) < maxSuggestedFolders {
			folders = append(folders, path.Join(p.options.Folder, path.Dir(file)))
		}
	}
	if len(folders) == 0 {
		return false
	}
	p.deny("no %s here; pack the folder of the plugin: %s", checks.HandlerFile, denial.QuoteNames(folders))
	return true
}

// check checks the files. It denies what Kong fails on, unless the options force it. It returns the findings that are
// not denied.
func (p *packer) check() []checks.Finding {
	var findings []checks.Finding
	for _, finding := range checks.Check(p.release) {
		if finding.Severity != checks.Error || p.options.Force {
			findings = append(findings, finding)
			continue
		}
		denied := denial.New(denial.BrokenPlugin, "%s [%s]", FindingText(p.options.Folder, finding), finding.Rule)
		denied.Rule = finding.Rule
		p.denials = append(p.denials, denied)
	}
	return findings
}

// FindingText returns a finding in one line, with the path of the file from the place of the user.
func FindingText(folder string, finding checks.Finding) string {
	if finding.File == "" {
		return fmt.Sprintf("folder %s: %s", denial.Quote(folder), finding)
	}
	finding.File = path.Join(strings.ReplaceAll(folder, "\\", "/"), finding.File)
	return finding.String()
}

// newRelease returns what the checks read of a directory.
func newRelease(plugin string, files map[string][]byte, options Options) checks.Release {
	release := checks.Release{Plugin: plugin, KongVersion: options.KongVersion, Files: map[string]*checks.Summary{}}
	if release.KongVersion.IsZero() {
		release.KongVersion = checks.NewestKong
	}
	for file, content := range files {
		release.Files[file] = nil
		if strings.HasSuffix(file, checks.LuaSuffix) {
			release.Files[file] = checks.Summarize(file, content)
		}
	}
	return release
}
