package pack

import (
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/luasource"
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
	handler, ok := p.files[catalog.HandlerFile]
	if !ok {
		return // verify reports the missing file
	}
	version, found := luasource.Version(handler)
	switch {
	case !found:
		p.deny("%s has no VERSION that can be read without running it; write VERSION = \"x.y.z\", or pack with --version",
			catalog.HandlerFile)
	case !isThreeNumbers(version):
		p.deny("%s has the VERSION %s, which is not of the form \"x.y.z\" (three numbers); change it, or pack with --version",
			catalog.HandlerFile, denial.Quote(version))
	case annotations.ValidateVersion(version) != nil:
		p.deny("%s: %v", catalog.HandlerFile, annotations.ValidateVersion(version))
	default:
		p.version = version
	}
}

// isThreeNumbers reports whether a version has the form "x.y.z".
func isThreeNumbers(version string) bool {
	numbers := strings.Split(version, ".")
	if len(numbers) != 3 {
		return false
	}
	for _, number := range numbers {
		if number == "" || strings.Trim(number, "0123456789") != "" {
			return false
		}
	}
	return true
}
