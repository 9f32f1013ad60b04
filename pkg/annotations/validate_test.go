package annotations_test

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
)

func TestValidatePluginName(t *testing.T) {
	for name, test := range map[string]struct {
		valid  bool
		reason string
	}{
		"dao-test":              {true, "the usual form"},
		"dao_test":              {true, "Kong loads this name (fact K1)"},
		"DaoTest":               {true, "Kong loads this name (fact K1)"},
		"1dao":                  {true, "Kong loads this name (fact K1)"},
		"x":                     {true, "one letter"},
		"a--_b":                 {true, "any order inside"},
		strings.Repeat("a", 63): {true, "the maximum length of a label value"},
		"Bundled":               {true, "keywords are case-sensitive"},
		"off-peak":              {true, "only the whole word is a keyword"},
		"":                      {false, "empty"},
		"a.b":                   {false, "Lua's require reads a dot as a slash"},
		".":                     {false, "a dot"},
		"..":                    {false, "dots"},
		"bundled":               {false, "a keyword of KONG_PLUGINS"},
		"off":                   {false, "a keyword of KONG_PLUGINS"},
		"-a":                    {false, "starts with a dash"},
		"a-":                    {false, "ends with a dash"},
		"_a":                    {false, "starts with an underscore"},
		"a_":                    {false, "ends with an underscore"},
		"a/b":                   {false, "a slash"},
		"a b":                   {false, "a space"},
		"a,b":                   {false, "a comma"},
		"a$(B)":                 {false, "a variable reference"},
		"é":                     {false, "not ASCII"},
		"a\x00":                 {false, "a NUL byte"},
		strings.Repeat("a", 64): {false, "too long for a label value"},
	} {
		if err := annotations.ValidatePluginName(name); (err == nil) != test.valid {
			t.Errorf("ValidatePluginName(%q) = %v; want valid = %v: %s", name, err, test.valid, test.reason)
		}
	}
}

func TestValidateVersion(t *testing.T) {
	for version, valid := range map[string]bool{
		"1.1.0": true, "v2": true, "1.0.0-rc.1_x": true, strings.Repeat("1", 63): true,
		"": false, "1.": false, ".1": false, "1+2": false, "1 ": false, strings.Repeat("1", 64): false,
	} {
		if err := annotations.ValidateVersion(version); (err == nil) != valid {
			t.Errorf("ValidateVersion(%q) = %v; want valid = %v, as for a label value", version, err, valid)
		}
	}
}
