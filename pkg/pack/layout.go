package pack

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

const (
	// rootFolder is the value of the annotation kongdao.io/path for the plugin's directory.
	rootFolder = "."
	// maxKeyBytes is the limit of Kubernetes for a ConfigMap key.
	maxKeyBytes = validation.DNS1123SubdomainMaxLength
)

// entry is a file and its key in a ConfigMap.
type entry struct{ path, key string }

// group is the set of files with the same annotation kongdao.io/path.
type group struct {
	// folder is the value of the annotation, or "" for none.
	folder  string
	entries []entry
}

// layout chooses the key of each file, and groups the files by the value of the annotation kongdao.io/path.
func (p *packer) layout() []group {
	byFolder := map[string][]entry{}
	var invalid []string
	for _, file := range p.paths() {
		if hasInvalidCharacter(file) {
			invalid = append(invalid, file)
			continue
		}
		folder, key, err := p.keyOf(file)
		if err == nil && len(key) > maxKeyBytes {
			err = fmt.Errorf("has a key of %d bytes, but the limit is %d; shorten its name", len(key), maxKeyBytes)
		}
		if err != nil {
			p.deny("file %s %v", denial.Quote(file), err)
			continue
		}
		byFolder[folder] = append(byFolder[folder], entry{file, key})
	}
	if len(invalid) > 0 {
		p.deny("the names of %s have characters that a ConfigMap key cannot hold, and "+
			"Kong loads them: rename them with letters, digits, \"-\", \"_\" and \".\"", denial.QuoteNames(invalid))
	}
	return sortedGroups(byFolder)
}

// sortedGroups sorts by folder, so that "" and "." come first.
func sortedGroups(byFolder map[string][]entry) []group {
	groups := make([]group, 0, len(byFolder))
	for folder, entries := range byFolder {
		groups = append(groups, group{folder, entries})
	}
	slices.SortFunc(groups, func(a, b group) int { return strings.Compare(a.folder, b.folder) })
	return groups
}

// keyOf returns the key of a file, and the value of the annotation kongdao.io/path for its ConfigMap.
func (p *packer) keyOf(file string) (folder, key string, err error) {
	stem, lua := strings.CutSuffix(file, checks.LuaSuffix)
	switch dir := path.Dir(file); {
	case p.options.Flat && dir != rootFolder && dir != annotations.MigrationsFolder:
		return "", "", fmt.Errorf("is in a directory other than %s/, which the flat form does not support; "+
			"pack without --flat", annotations.MigrationsFolder)
	case p.options.Flat:
		return "", path.Base(file), nil
	case lua:
		return rootFolder, strings.ReplaceAll(stem, "/", ".") + checks.LuaSuffix, nil
	default:
		return dir, path.Base(file), nil
	}
}

// hasInvalidCharacter reports whether no ConfigMap key can hold an element of the path. A key can
// hold only letters, digits, "-", "_" and "." as characters (fact V6).
func hasInvalidCharacter(file string) bool {
	for element := range strings.SplitSeq(file, "/") {
		beginning := element[:min(len(element), maxKeyBytes)] // layout checks the length
		if len(validation.IsConfigMapKey(beginning)) > 0 {
			return true
		}
	}
	return false
}
