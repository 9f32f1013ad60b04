package annotations

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/denial"
)

// Request is what a pod requests.
type Request struct {
	// Plugins lists the requested plugins in the order of the annotation, without duplicates.
	Plugins []PluginRef
	// Containers lists the names in the annotation kongdao.io/containers, without duplicates. It is nil if kongdao
	// must detect the Kong containers.
	Containers []string
	// AllKongContainers adds the detected Kong containers to those in Containers, because a policy requires it.
	AllKongContainers bool
	// Migrations says who migrates the database.
	Migrations MigrationsMode
	// MigrationsWith lists the containers that the Job of a migration runs next to Kong, without duplicates.
	MigrationsWith []string
	// Pins are the releases in annotation kongdao.io/releases. Plugins do not contain them: see Pinned.
	Pins []PluginRef
}

// MigrationsMode is a value of the annotation kongdao.io/migrations.
type MigrationsMode string

// The modes.
const (
	// MigrationsAuto: kongdao runs "up" and "finish".
	MigrationsAuto MigrationsMode = "auto"
	// MigrationsUp: kongdao runs "up". A person runs "finish".
	MigrationsUp MigrationsMode = "up"
	// MigrationsOff: a person or another Job runs both.
	MigrationsOff MigrationsMode = "off"
)

// PluginRef refers to one plugin: "dao-test" or "dao-test@1.1.0".
type PluginRef struct {
	Name string
	// Version is "" if the request names no version.
	Version string
	// IsPin reports whether the version comes from annotation kongdao.io/releases. Without a version, the reference is
	// then to the release that has none.
	IsPin bool
}

// String returns the form that the annotation uses.
func (r PluginRef) String() string {
	if r.Version == "" {
		return r.Name
	}
	return r.Name + "@" + r.Version
}

// Pinned returns the plugins with the versions of the pins. A version in the request overrides a pin.
func (r *Request) Pinned(plugins []PluginRef) []PluginRef {
	if len(r.Pins) == 0 {
		return plugins
	}
	pins := ByName(r.Pins)
	pinned := slices.Clone(plugins)
	for i, ref := range pinned {
		if pin, isPinned := pins[ref.Name]; isPinned && ref.Version == "" {
			pinned[i] = pin
		}
	}
	return pinned
}

// ByName returns references by the names of their plugins. There may be thousands.
func ByName(refs []PluginRef) map[string]PluginRef {
	named := make(map[string]PluginRef, len(refs))
	for _, ref := range refs {
		named[ref.Name] = ref
	}
	return named
}

// Parse reads the request of a pod from its annotations. The request holds the well-formed part, and the denials name
// the malformed parts. A pod that requests no plugins is never denied (fact W7: users of other injectors complained
// about webhooks that block pods without a request).
func Parse(annotations map[string]string) (Request, denial.List) {
	if denials := checkLengths(annotations); len(denials) > 0 {
		return Request{}, denials
	}
	plugins, denials := parsePlugins(Plugins, annotations[Plugins])
	mode, err := ParseMigrations(annotations[Migrations])
	pins, malformedPins := ParsePins(annotations[Releases])
	request := Request{Plugins: plugins, Migrations: mode, Pins: pins}
	var malformedWith denial.List
	if value, ok := annotations[MigrationsWith]; ok {
		request.MigrationsWith, malformedWith = parseContainers(MigrationsWith, value)
	}
	if len(plugins) == 0 && len(denials) == 0 {
		return request, nil
	}
	denials = slices.Concat(denials, malformedWith, malformedPins)
	if value, ok := annotations[Containers]; ok {
		containers, malformed := parseContainers(Containers, value)
		request.Containers = containers
		denials = append(denials, malformed...)
	}
	if err != nil {
		denials = append(denials, denial.New(denial.MalformedAnnotation, "annotation %s: %v", Migrations, err))
	}
	return request, denials
}

// ParseMigrations parses a value of the annotation kongdao.io/migrations. An empty value means MigrationsAuto.
func ParseMigrations(value string) (MigrationsMode, error) {
	switch mode := MigrationsMode(strings.TrimSpace(value)); mode {
	case "":
		return MigrationsAuto, nil
	case MigrationsAuto, MigrationsUp, MigrationsOff:
		return mode, nil
	}
	return MigrationsAuto, fmt.Errorf("the value is %s; use %q, %q or %q",
		denial.Quote(value), MigrationsAuto, MigrationsUp, MigrationsOff)
}

// maxValueBytes limits the length of an annotation's value. It leaves room for thousands of plugins. The API server
// checks the size of annotations only after admission. Without a limit, three megabytes of commas take seconds of CPU
// and a gigabyte of memory.
const maxValueBytes = 64 << 10

func checkLengths(annotations map[string]string) denial.List {
	var denials denial.List
	for _, name := range append(Propagated(), Releases) {
		if length := len(annotations[name]); length > maxValueBytes {
			denials = append(denials, denial.New(denial.MalformedAnnotation,
				"annotation %s: the value has %d bytes; the limit is %d", name, length, maxValueBytes))
		}
	}
	return denials
}

// ParsePins parses a value of annotation kongdao.io/releases. Of a malformed value, it returns the well-formed part.
func ParsePins(value string) ([]PluginRef, denial.List) {
	pins, denials := parsePlugins(Releases, value)
	for i := range pins {
		pins[i].IsPin = true
	}
	return pins, denials
}

// FormatRefs returns the value of an annotation that lists plugins.
func FormatRefs(refs []PluginRef) string {
	texts := make([]string, len(refs))
	for i, ref := range refs {
		texts[i] = ref.String()
	}
	return strings.Join(texts, ",")
}

// parsePlugins parses the value of an annotation that lists plugins.
func parsePlugins(annotation, value string) ([]PluginRef, denial.List) {
	if strings.TrimSpace(value) == "" {
		return nil, nil
	}
	var denials denial.List
	elements := strings.Split(value, ",")
	refs := make([]PluginRef, 0, len(elements))
	versions := make(map[string]string, len(elements))
	for i, element := range elements {
		ref, err := ParsePluginRef(strings.TrimSpace(element))
		if err != nil {
			denials = append(denials, denial.New(denial.MalformedAnnotation,
				"annotation %s: element %d: %v", annotation, i+1, err))
			continue
		}
		version, seen := versions[ref.Name]
		switch {
		case !seen:
			versions[ref.Name] = ref.Version
			refs = append(refs, ref)
		case version != ref.Version:
			denials = append(denials, denial.New(denial.MalformedAnnotation,
				"annotation %s: element %d: plugin %q is requested as %q and as %q; keep one of them",
				annotation, i+1, ref.Name, PluginRef{Name: ref.Name, Version: version}, ref))
		}
	}
	return refs, denials
}

// ParsePluginRef parses one element of a list of plugins: "dao-test" or "dao-test@1.1.0".
func ParsePluginRef(text string) (PluginRef, error) {
	if text == "" {
		return PluginRef{}, errors.New("the element is empty; separate plugin names with single commas")
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

// parseContainers parses the value of an annotation that lists containers.
func parseContainers(annotation, value string) ([]string, denial.List) {
	var denials denial.List
	var names []string
	seen := map[string]bool{}
	for i, element := range strings.Split(value, ",") {
		name := strings.TrimSpace(element)
		switch {
		case name == "":
			denials = append(denials, denial.New(denial.MalformedAnnotation,
				"annotation %s: element %d: the element is empty; list names of containers, or remove the annotation",
				annotation, i+1))
		case !seen[name]:
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, denials
}
