package annotations

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/denial"
)

// ValidatePluginName returns an error if name cannot be the name of a plugin. A name must be a label value without
// dots, because Lua's require reads a dot as a slash (fact K1). It must not be a keyword of KONG_PLUGINS.
func ValidatePluginName(name string) error {
	switch {
	case name == "bundled" || name == "off":
		return fmt.Errorf("%q is a keyword of KONG_PLUGINS, not the name of a plugin", name)
	case strings.Contains(name, "{{"):
		return fmt.Errorf("plugin name %s looks like a template of Helm that is not rendered; render it with "+
			"\"helm template\"", denial.Quote(name))
	case strings.Contains(name, "."):
		return fmt.Errorf("plugin name %s contains a dot, which Lua's require reads as a slash", denial.Quote(name))
	case !isLabelValue(name):
		return fmt.Errorf("plugin name %s is invalid; use 1 to %d letters, digits, \"-\" and \"_\", "+
			"and start and end with a letter or digit", denial.Quote(name), validation.LabelValueMaxLength)
	}
	return nil
}

// ValidateVersion returns an error if version cannot be the version of a release. A version must be a label value.
func ValidateVersion(version string) error {
	if !isLabelValue(version) {
		return fmt.Errorf("version %s is invalid; use 1 to %d letters, digits, \".\", \"-\" and \"_\", "+
			"and start and end with a letter or digit", denial.Quote(version), validation.LabelValueMaxLength)
	}
	return nil
}

// isLabelValue reports whether text is a non-empty label value.
func isLabelValue(text string) bool {
	return text != "" && len(validation.IsValidLabelValue(text)) == 0
}
