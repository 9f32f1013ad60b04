package catalog

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

func compareKeys(a, b Key) int { return strings.Compare(a.Name, b.Name) }

// keyPaths maps the keys of one release's sources to file paths.
type keyPaths struct {
	// migrations holds the keys that are migrations.
	migrations map[string]bool
	// numbered is true if the list in init.lua cannot be read. Then the keys NNN_*.lua are migrations.
	numbered bool
	// flat is true if a flat source holds the list of migrations, in init.lua or migrations.lua, and no source gives
	// the path of the list in another form.
	flat bool
}

// newKeyPaths finds the flat keys that are migrations: those in the list of the flat init.lua. If a source gives the
// path of the list in another form, no flat key is a migration.
func newKeyPaths(sources []Source) keyPaths {
	paths := keyPaths{migrations: map[string]bool{}}
	for _, source := range sources {
		for _, key := range source.Keys {
			if source.Folder == nil && (key.Name == checks.InitFile || key.Name == checks.MigrationsModule) {
				paths.addList(key)
				continue
			}
			if file, err := explicitPath(source.Folder, key.Name); err == nil && file == checks.MigrationsInit {
				return keyPaths{}
			}
		}
	}
	return paths
}

func (p *keyPaths) addList(key Key) {
	p.flat = true
	if key.Name == checks.InitFile {
		p.migrations[checks.InitFile] = true
	}
	list := key.Summary.List()
	if list == nil || !list.IsKnown {
		p.numbered = true
		return
	}
	for _, name := range list.Names {
		p.migrations[name+checks.LuaSuffix] = true
	}
}

// path returns the file path of a key, relative to the plugin's directory.
func (p *keyPaths) path(folder *string, key string) (string, error) {
	if folder == nil && p.flat && (p.migrations[key] || p.numbered && isNumbered(key)) {
		migrations := annotations.MigrationsFolder
		folder = &migrations
	}
	return explicitPath(folder, key)
}

// isNumbered reports whether a key has the form NNN_*.lua, as Kong's own migrations do. Kong requires no pattern of
// file names (fact K2). The catalog assumes this form only if it cannot read the list.
func isNumbered(key string) bool {
	stem, lua := strings.CutSuffix(key, checks.LuaSuffix)
	if !lua || len(stem) < len("000_x") || strings.Contains(stem, ".") {
		return false
	}
	return strings.Trim(stem[:3], "0123456789") == "" && stem[3] == '_'
}

// explicitPath returns the path that a key has on its own, without regard to other keys. In a .lua key, each dot is a
// slash, because Lua's require reads a dot of a module name as a slash (fact K1). The folder, if any, is the prefix.
func explicitPath(folder *string, key string) (string, error) {
	file := key
	if stem, lua := strings.CutSuffix(key, checks.LuaSuffix); lua {
		file = strings.ReplaceAll(stem, ".", "/") + checks.LuaSuffix
	}
	if folder != nil {
		if strings.HasPrefix(*folder, "/") {
			return "", fmt.Errorf("annotation %s is %s, an absolute path; use a path relative to the plugin's directory",
				annotations.Path, denial.Quote(*folder))
		}
		trimmed := strings.TrimSuffix(strings.TrimPrefix(*folder, "./"), "/")
		if trimmed != "" && trimmed != "." {
			file = trimmed + "/" + file
		}
	}
	if err := validatePath(file); err != nil {
		wayOut := "rename the key"
		if folder != nil {
			wayOut = "change the key or the annotation " + annotations.Path
		}
		return "", fmt.Errorf("%w; %s", err, wayOut)
	}
	return file, nil
}

const (
	// maxPathBytes limits a file's path. File systems allow longer paths.
	maxPathBytes = 512
	// maxElementBytes limits one element of a path. The limit for ConfigMap keys is the same.
	maxElementBytes = validation.DNS1123SubdomainMaxLength
)

// validatePath returns an error for a path that leaves the plugin's directory or that a volume cannot hold.
func validatePath(file string) error {
	if len(file) > maxPathBytes {
		return fmt.Errorf("path %s is longer than %d bytes", denial.Quote(file), maxPathBytes)
	}
	for element := range strings.SplitSeq(file, "/") {
		switch {
		case element == "" || element == checks.LuaSuffix:
			return fmt.Errorf("path %s has an empty element", denial.Quote(file))
		case len(element) > maxElementBytes:
			return fmt.Errorf("path %s has an element longer than %d bytes", denial.Quote(file), maxElementBytes)
		case element == ".":
			return fmt.Errorf("path %s has the element \".\"", denial.Quote(file))
		case strings.HasPrefix(element, ".."):
			return fmt.Errorf("path %s has an element that starts with \"..\"", denial.Quote(file))
		case len(validation.IsConfigMapKey(element)) > 0:
			return fmt.Errorf("path %s has a character that is not a letter, a digit, \"-\", \"_\" or \".\"",
				denial.Quote(file))
		}
	}
	return nil
}
