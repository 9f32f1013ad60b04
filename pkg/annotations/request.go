package annotations

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/denial"
)

// Request is what a pod asks for.
type Request struct {
	// Plugins are the plugins asked for, each name once, in the order of the
	// annotation.
	Plugins []PluginRef
	// Containers are the names that Containers gives, each once; nil where the
	// Kong containers are to be found by their looks.
	Containers []string
	// AllKongContainers says that the plugins go to the containers that look like Kong
	// too, where others are named: a policy wants them there.
	AllKongContainers bool
	// Migrations says who migrates the database.
	Migrations MigrationsMode
}

// MigrationsMode is a value of annotation kongdao.io/migrations.
type MigrationsMode string

// The modes.
const (
	// MigrationsAuto: kongdao runs "up" and "finish".
	MigrationsAuto MigrationsMode = "auto"
	// MigrationsUp: kongdao runs "up", and a person "finish".
	MigrationsUp MigrationsMode = "up"
	// MigrationsOff: a person, or somebody else's Job, runs both.
	MigrationsOff MigrationsMode = "off"
)

// PluginRef asks for one plugin: "dao-test" or "dao-test@1.1.0".
type PluginRef struct {
	Name string
	// Version is "" where the request chooses none.
	Version string
}

// String is the form of the annotation.
func (r PluginRef) String() string {
	if r.Version == "" {
		return r.Name
	}
	return r.Name + "@" + r.Version
}

// Parse reads what a pod with these annotations asks for. The request holds
// what is well formed; the list says what is not.
func Parse(annotations map[string]string) (Request, denial.List) {
	if denied := checkLengths(annotations); len(denied) > 0 {
		return Request{}, denied
	}
	plugins, denied := parsePlugins(annotations[Plugins])
	mode, malformed := ParseMigrations(annotations[Migrations])
	request := Request{Plugins: plugins, Migrations: mode}
	if len(plugins) == 0 && len(denied) == 0 {
		return request, nil // who asks for nothing is never denied (W7)
	}
	if value, ok := annotations[Containers]; ok {
		containers, wrong := parseContainers(value)
		request.Containers = containers
		denied = append(denied, wrong...)
	}
	if malformed != nil {
		denied = append(denied, denial.New(denial.MalformedAnnotation, "annotation %s: %v", Migrations, malformed))
	}
	return request, denied
}

// ParseMigrations reads a value of annotation kongdao.io/migrations; an empty
// one is "auto".
func ParseMigrations(value string) (MigrationsMode, error) {
	switch mode := MigrationsMode(strings.TrimSpace(value)); mode {
	case "":
		return MigrationsAuto, nil
	case MigrationsAuto, MigrationsUp, MigrationsOff:
		return mode, nil
	}
	return MigrationsAuto, fmt.Errorf("is %s; write %s, %s or %s", denial.Quote(value), MigrationsAuto, MigrationsUp, MigrationsOff)
}

// largest is how long a value may be, in bytes: thousands of plugins. A pod
// under admission may carry megabytes, for the API server bounds annotations
// only later, and three megabytes of commas would cost seconds and a gigabyte.
const largest = 64 << 10

func checkLengths(annotations map[string]string) denial.List {
	var denied denial.List
	for _, name := range Propagated() {
		if length := len(annotations[name]); length > largest {
			denied = append(denied, denial.New(denial.MalformedAnnotation,
				"annotation %s: is %d bytes long; at most %d can be read", name, length, largest))
		}
	}
	return denied
}

func parsePlugins(value string) ([]PluginRef, denial.List) {
	if strings.TrimSpace(value) == "" {
		return nil, nil
	}
	var denied denial.List
	elements := strings.Split(value, ",")
	refs := make([]PluginRef, 0, len(elements))
	versions := make(map[string]string, len(elements))
	for i, element := range elements {
		ref, err := parsePluginRef(strings.TrimSpace(element))
		if err != nil {
			denied = append(denied, denial.New(denial.MalformedAnnotation,
				"annotation %s: element %d: %v", Plugins, i+1, err))
			continue
		}
		version, seen := versions[ref.Name]
		switch {
		case !seen:
			versions[ref.Name] = ref.Version
			refs = append(refs, ref)
		case version != ref.Version:
			denied = append(denied, denial.New(denial.MalformedAnnotation,
				"annotation %s: element %d: plugin %q is asked for as %q and as %q; keep one",
				Plugins, i+1, ref.Name, PluginRef{ref.Name, version}, ref))
		}
	}
	return refs, denied
}

func parsePluginRef(text string) (PluginRef, error) {
	if text == "" {
		return PluginRef{}, fmt.Errorf("is empty; write plugin names between single commas")
	}
	name, version, versioned := strings.Cut(text, "@")
	if err := ValidatePluginName(name); err != nil {
		return PluginRef{}, err
	}
	if versioned {
		if err := ValidateVersion(version); err != nil {
			return PluginRef{}, err
		}
	}
	return PluginRef{Name: name, Version: version}, nil
}

func parseContainers(value string) ([]string, denial.List) {
	var denied denial.List
	var names []string
	seen := map[string]bool{}
	for i, element := range strings.Split(value, ",") {
		name := strings.TrimSpace(element)
		switch {
		case name == "":
			denied = append(denied, denial.New(denial.MalformedAnnotation,
				"annotation %s: element %d: is empty; name the containers that run Kong, or remove the annotation", Containers, i+1))
		case !seen[name]:
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, denied
}

// longest is how long a label's value may be, in bytes: sources are found by
// labels that hold a plugin's name and its version.
const longest = 63

// ValidatePluginName says what keeps name from being a plugin's: it must be a
// label's value without dots (fact K1: Lua would read a dot as a slash), and
// neither of the words that KONG_PLUGINS gives a meaning of their own.
func ValidatePluginName(name string) error {
	switch {
	case name == "bundled" || name == "off":
		return fmt.Errorf("%q is a word of KONG_PLUGINS, not a plugin's name", name)
	case strings.Contains(name, "."):
		return fmt.Errorf("plugin name %s has a dot, which Lua's require reads as a slash", denial.Quote(name))
	case !isLabelValue(name):
		return fmt.Errorf("plugin name %s is not 1 to %d letters, digits, dashes and underscores, first and last a letter or digit",
			denial.Quote(name), longest)
	}
	return nil
}

// ValidateVersion says what keeps version from being a release's: it must be a
// label's value.
func ValidateVersion(version string) error {
	if !isLabelValue(version) {
		return fmt.Errorf("version %s is not 1 to %d letters, digits, dots, dashes and underscores, first and last a letter or digit",
			denial.Quote(version), longest)
	}
	return nil
}

// isLabelValue reports whether text is a non-empty label value.
func isLabelValue(text string) bool {
	if text == "" || len(text) > longest {
		return false
	}
	for i := range len(text) {
		c := text[i]
		inner := i > 0 && i < len(text)-1
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && (!inner || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return true
}
