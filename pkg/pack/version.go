package pack

import (
	"regexp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

// chooseVersion uses the version in the options, or the handler's VERSION.
func (p *packer) chooseVersion() {
	if p.version = p.options.Version; p.version != "" {
		if err := annotations.ValidateVersion(p.version); err != nil {
			p.deny("%v", err)
			p.version = "" // otherwise the catalog would report it again
		}
		return
	}
	version, isKnown := p.release.Version()
	switch {
	case isKnown && annotations.ValidateVersion(version) == nil:
		p.version = version
	case isKnown && checks.IsKongVersion(version) && annotations.ValidateVersion(numbers(version)) == nil:
		p.version = numbers(version) // as Kong reads it
	case p.release.Files[checks.HandlerFile] == nil || p.release.LacksVersion():
		// The checks report this: Kong does not start without VERSION, and --version does not change that.
	case isKnown:
		p.deny("%s has the VERSION %s, which cannot be the version of a release: %v; pack with --version", checks.HandlerFile,
			denial.Quote(version), annotations.ValidateVersion(version))
	default:
		p.deny("the VERSION in %s cannot be read without running the code; pack with --version", checks.HandlerFile)
	}
}

var numbersPattern = regexp.MustCompile(`[0-9]+(\.[0-9]+)*`)

// numbers returns the part of a VERSION that Kong reads: the first numbers with dots between them (fact K36).
func numbers(version string) string { return numbersPattern.FindString(version) }
