package pack

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
)

// IgnoreFile is the name of the file with patterns of files to leave out, one per line.
const IgnoreFile = ".kongdaoignore"

// excludeFiles leaves out hidden files, backup files of editors, and files that the user excludes. It also leaves out
// files that Kong never loads and whose names a ConfigMap or Lua cannot hold: these files never matter (fact K44). It
// adds a warning for each of them or its directory.
func (p *packer) excludeFiles(files map[string][]byte) {
	patterns := append(slices.Clone(p.options.Exclude), ignorePatterns(files[IgnoreFile])...)
	for _, pattern := range patterns {
		if err := validatePattern(pattern); err != nil {
			p.deny("%v", err)
		}
	}
	included := make(map[string][]byte, len(files))
	excluded := map[string]string{}
	for file, content := range files {
		prefix, reason := exclusion(file)
		if pattern := matchingPattern(file, patterns); reason == "" && pattern != "" {
			prefix, reason = file, fmt.Sprintf("it matches %q", pattern)
		}
		switch {
		case reason == "":
			included[file] = content
		case prefix != IgnoreFile:
			excluded[prefix] = reason
		}
	}
	p.files = included
	p.release = newRelease(p.plugin, included, p.options)
	p.excludeUnloadable(excluded)
	for _, prefix := range slices.Sorted(maps.Keys(excluded)) {
		p.warnings = append(p.warnings, fmt.Sprintf("%q is excluded: %s", prefix, excluded[prefix]))
	}
}

// excludeUnloadable leaves out files whose names Kong or a ConfigMap cannot hold, unless Kong loads them.
func (p *packer) excludeUnloadable(excluded map[string]string) {
	loaded := sets.New(p.release.Loaded()...)
	for _, file := range p.paths() {
		stem, isLua := strings.CutSuffix(file, checks.LuaSuffix)
		switch {
		case loaded.Has(file):
			continue
		case isLua && strings.Contains(stem, "."):
			excluded[file] = "Kong cannot load it, because Lua reads a dot in the name of a module as a slash"
		case file == annotations.MigrationsFolder:
			excluded[file] = "it is in the place of the directory for migrations, and Kong does not load it"
		case hasInvalidCharacter(file):
			excluded[file] = "Kong does not load it, and a ConfigMap cannot hold its name"
		default:
			continue
		}
		delete(p.files, file)
		delete(p.release.Files, file)
	}
}

// exclusion returns the file or its directory to exclude, and the reason. Both are "" for a file to include.
func exclusion(path string) (prefix, reason string) {
	for end := 0; end < len(path); end++ {
		name, _, _ := strings.Cut(path[end:], "/")
		end += len(name)
		switch {
		case strings.HasPrefix(name, ".") && strings.Trim(name, ".") != "":
			return path[:end], "its name starts with a dot"
		case strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp"):
			return path[:end], "it is an editor's backup file"
		}
	}
	return "", ""
}

// Excludes reports whether Pack excludes the file or directory at a path. A caller can skip an excluded directory.
func Excludes(path string) bool {
	_, reason := exclusion(path)
	return reason != ""
}

// ignorePatterns returns the patterns in a file .kongdaoignore: one per line, without empty lines and lines that start
// with "#".
func ignorePatterns(text []byte) []string {
	var patterns []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	return patterns
}

// validatePattern returns an error for a pattern that is malformed, or that a reader of .gitignore expects to work in
// another way.
func validatePattern(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("pattern %q is malformed; use *, ? and [a-z]", pattern)
	}
	if strings.HasPrefix(pattern, "!") || strings.Contains(pattern, "**") {
		return fmt.Errorf("pattern %q: \"!\" and \"**\" are not supported; name the files or directories to exclude", pattern)
	}
	return nil
}

// matchingPattern returns the pattern that excludes a file, or "". A pattern without a slash matches the name of a file
// or of a directory on any level. A pattern with a slash matches a path from the plugin's directory. A pattern that
// matches a directory excludes all files in it.
func matchingPattern(file string, patterns []string) string {
	for _, pattern := range patterns {
		trimmed := strings.Trim(pattern, "/")
		isPath := strings.Contains(strings.TrimSuffix(pattern, "/"), "/")
		for prefix := file; prefix != "."; prefix = path.Dir(prefix) {
			name := prefix
			if !isPath {
				name = path.Base(prefix)
			}
			isDirectory := prefix != file
			matches, _ := path.Match(trimmed, name) // validatePattern reports the error
			if matches && (isDirectory || !strings.HasSuffix(pattern, "/")) {
				return pattern
			}
		}
	}
	return ""
}
