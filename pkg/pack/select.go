package pack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// selectFiles leaves out what nobody means to ship: hidden files and folders,
// and what editors leave behind. It says so in a note each.
func selectFiles(files map[string][]byte) (kept map[string][]byte, notes []string) {
	kept = make(map[string][]byte, len(files))
	left := map[string]string{}
	for path, content := range files {
		if at, why := leftover(path); why != "" {
			left[at] = why
			continue
		}
		kept[path] = content
	}
	for _, at := range slices.Sorted(maps.Keys(left)) {
		notes = append(notes, fmt.Sprintf("%q is left out: %s", at, left[at]))
	}
	return kept, notes
}

// leftover yields the file, or the folder that it is in, that is to be left
// out, and why; nothing for a file to be packed.
func leftover(path string) (at, why string) {
	for end := 0; end < len(path); end++ {
		rest := path[end:]
		name, _, _ := strings.Cut(rest, "/")
		end += len(name)
		switch {
		case strings.HasPrefix(name, ".") && strings.Trim(name, ".") != "":
			return path[:end], "its name begins with a dot"
		case strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp"):
			return path[:end], "an editor left it behind"
		}
	}
	return "", ""
}

// Leftover reports whether Pack leaves out what lies at a path: a folder that
// it does need not be read at all.
func Leftover(path string) bool {
	_, why := leftover(path)
	return why != ""
}
