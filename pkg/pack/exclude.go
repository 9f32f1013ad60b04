package pack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// excludeFiles removes hidden files and directories, and backup files of editors. It returns a warning for each
// excluded file or directory.
func excludeFiles(files map[string][]byte) (included map[string][]byte, warnings []string) {
	included = make(map[string][]byte, len(files))
	excluded := map[string]string{}
	for path, content := range files {
		if prefix, reason := exclusion(path); reason != "" {
			excluded[prefix] = reason
			continue
		}
		included[path] = content
	}
	for _, prefix := range slices.Sorted(maps.Keys(excluded)) {
		warnings = append(warnings, fmt.Sprintf("%q is excluded: %s", prefix, excluded[prefix]))
	}
	return included, warnings
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
