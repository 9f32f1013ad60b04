package pack

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/luasource"
)

const (
	luaSuffix   = ".lua"
	handlerFile = "handler.lua"
	// root is the value of annotation kongdao.io/path for the plugin's own folder.
	root = "."
	// longestKey is what Kubernetes takes as a key, in bytes.
	longestKey = 253
)

// entry is a file and the key that it gets.
type entry struct{ path, key string }

// part is what goes to ConfigMaps of one folder annotation.
type part struct {
	// folder is the annotation's value, "" for none.
	folder  string
	entries []entry
}

// place gives every file its key, and sorts the files by the folder that the
// annotation has to name.
func (p *packer) place() []part {
	byFolder := map[string][]entry{}
	var unfit []string
	for _, file := range p.paths() {
		if bad := unfitName(file); bad {
			unfit = append(unfit, file)
			continue
		}
		folder, key, err := p.keyOf(file)
		if err == nil && len(key) > longestKey {
			err = fmt.Errorf("makes a key of %d bytes, and Kubernetes takes %d; shorten its name", len(key), longestKey)
		}
		if err != nil {
			p.deny("file %s %v", denial.Quote(file), err)
			continue
		}
		byFolder[folder] = append(byFolder[folder], entry{file, key})
	}
	if len(unfit) > 0 {
		p.deny("the names of %s have characters that no key of a ConfigMap can hold; rename them with letters, digits, \"-\", \"_\" and \".\"",
			denial.QuoteNames(unfit))
	}
	return sortedParts(byFolder)
}

func sortedParts(byFolder map[string][]entry) []part {
	parts := make([]part, 0, len(byFolder))
	for folder, entries := range byFolder {
		parts = append(parts, part{folder, entries})
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.folder, b.folder) }) // "" and "." come first
	return parts
}

// keyOf yields a file's key, and the folder that annotation kongdao.io/path
// has to give its ConfigMap.
func (p *packer) keyOf(file string) (folder, key string, err error) {
	stem, lua := strings.CutSuffix(file, luaSuffix)
	if lua && strings.Contains(stem, ".") {
		return "", "", fmt.Errorf("can never be loaded, for Lua's require reads a dot in a module's name as a slash; rename it without further dots")
	}
	switch dir := path.Dir(file); {
	case file == annotations.MigrationsFolder:
		return "", "", fmt.Errorf("is where the folder of the migrations belongs; rename it")
	case p.options.Flat && dir != root && dir != annotations.MigrationsFolder:
		return "", "", fmt.Errorf("is neither in the plugin's own folder nor in %s/, and the flat form knows no other; pack without --flat",
			annotations.MigrationsFolder)
	case p.options.Flat:
		return "", path.Base(file), nil
	case lua:
		return root, strings.ReplaceAll(stem, "/", ".") + luaSuffix, nil
	default:
		return dir, path.Base(file), nil
	}
}

// unfitName reports whether no ConfigMap can hold the path: only letters,
// digits, "-", "_" and "." may stand in a key (fact V6).
func unfitName(file string) bool {
	for element := range strings.SplitSeq(file, "/") {
		if element == "" || strings.Trim(element, ".") == "" {
			return true
		}
		for _, c := range []byte(element) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", rune(c)) {
				return true
			}
		}
	}
	return false
}

// chooseVersion takes the version that the options give, else the handler's.
func (p *packer) chooseVersion() {
	if p.version = p.options.Version; p.version != "" {
		if err := annotations.ValidateVersion(p.version); err != nil {
			p.deny("%v", err)
			p.version = "" // or the catalog would say it again
		}
		return
	}
	handler, ok := p.files[handlerFile]
	if !ok {
		return // verify says that it is missing
	}
	version, found := luasource.Version(handler)
	switch {
	case !found:
		p.deny("%s gives no VERSION that can be read from its text; write VERSION = \"x.y.z\" there, or pack with --version", handlerFile)
	case !isRelease(version):
		p.deny("%s gives VERSION %s, which is not of the form \"x.y.z\" (three numbers); mend it, or pack with --version",
			handlerFile, denial.Quote(version))
	case annotations.ValidateVersion(version) != nil:
		p.deny("%s: %v", handlerFile, annotations.ValidateVersion(version))
	default:
		p.version = version
	}
}

// isRelease reports whether a version has the form that Kong wants (fact K4).
func isRelease(version string) bool {
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
