package catalog

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// The files of a plugin that mean something to Kong or to the catalog.
const (
	handlerFile = "handler.lua"
	schemaFile  = "schema.lua"
	daosFile    = "daos.lua"
	initFile    = "init.lua"

	// migrationsInit lists the migrations; migrationsModule does where it
	// exists, for require "kong.plugins.NAME.migrations" finds it first (K1, K2).
	migrationsInit   = annotations.MigrationsFolder + "/" + initFile
	migrationsModule = annotations.MigrationsFolder + luaSuffix

	luaSuffix = ".lua"
)

func compareKeys(a, b Key) int { return strings.Compare(a.Name, b.Name) }

// mayBeList reports whether a key can be a list that matters here, in one of
// the ways to write a plugin down: of migrations, or of entities.
func mayBeList(key string) bool {
	switch key {
	case initFile, migrationsModule, "migrations.init.lua", daosFile:
		return true
	}
	return false
}

// routes says where the keys of one release's flat sources go.
type routes struct {
	// migrations holds the keys that are migrations.
	migrations map[string]bool
	// numbered: what init.lua lists cannot be read, so NNN_*.lua are migrations.
	numbered bool
	// flat: a flat source holds a list of migrations (init.lua, or
	// migrations.lua beside them) and no source says in another way where it is.
	flat bool
}

// routesOf finds out how flat keys are to be routed: by what the flat init.lua
// lists, unless a source says in another way where the migrations' list is.
func routesOf(sources []Source) routes {
	found := routes{migrations: map[string]bool{}}
	for _, source := range sources {
		for _, key := range source.Keys {
			if source.Folder == nil && (key.Name == initFile || key.Name == migrationsModule) {
				found.add(key)
				continue
			}
			if file, err := explicitPath(source.Folder, key.Name); err == nil && file == migrationsInit {
				return routes{}
			}
		}
	}
	return found
}

func (r *routes) add(list Key) {
	r.flat = true
	if list.Name == initFile {
		r.migrations[initFile] = true
	}
	if list.Lists == nil || !list.Lists.Literal {
		r.numbered = true
		return
	}
	for _, name := range list.Lists.Names {
		r.migrations[name+luaSuffix] = true
	}
}

// path yields where a key's file goes, relative to the plugin's folder.
func (r *routes) path(folder *string, key string) (string, error) {
	if folder == nil && r.flat && (r.migrations[key] || r.numbered && isNumbered(key)) {
		migrations := annotations.MigrationsFolder
		folder = &migrations
	}
	return explicitPath(folder, key)
}

// isNumbered reports whether a key has the form that Kong's own migrations
// have, NNN_*.lua. Kong demands none (fact K2): it is a guess, made only where
// the list cannot be read.
func isNumbered(key string) bool {
	stem, lua := strings.CutSuffix(key, luaSuffix)
	if !lua || len(stem) < 5 || strings.Contains(stem, ".") {
		return false
	}
	for _, digit := range []byte(stem[:3]) {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return stem[3] == '_'
}

// explicitPath yields the file that a key means without regard to other keys:
// in a .lua key every dot is a slash, as in the names of Lua's modules (K1),
// and folder, where it is given, comes before.
func explicitPath(folder *string, key string) (string, error) {
	file := key
	if stem, lua := strings.CutSuffix(key, luaSuffix); lua {
		file = strings.ReplaceAll(stem, ".", "/") + luaSuffix
	}
	if folder != nil {
		if strings.HasPrefix(*folder, "/") {
			return "", fmt.Errorf("annotation %s is %s, which is absolute; name a folder below the plugin's own", annotations.Path, denial.Quote(*folder))
		}
		trimmed := strings.TrimSuffix(strings.TrimPrefix(*folder, "./"), "/")
		if trimmed != "" && trimmed != "." {
			file = trimmed + "/" + file
		}
	}
	if err := checkPath(file); err != nil {
		return "", err
	}
	return file, nil
}

// longestPath bounds a file's path, in bytes, well under what a file system
// takes; longestElement is what a ConfigMap's key may have, and a file's name.
const (
	longestPath    = 512
	longestElement = 253
)

// checkPath denies a path that would leave the plugin's folder or that a
// volume cannot hold.
func checkPath(file string) error {
	if len(file) > longestPath {
		return fmt.Errorf("path %s is longer than %d bytes", denial.Quote(file), longestPath)
	}
	for element := range strings.SplitSeq(file, "/") {
		switch {
		case element == "" || element == luaSuffix:
			return fmt.Errorf("path %s has an empty element", denial.Quote(file))
		case len(element) > longestElement:
			return fmt.Errorf("path %s has an element longer than %d bytes", denial.Quote(file), longestElement)
		case element == ".":
			return fmt.Errorf("path %s has the element \".\"", denial.Quote(file))
		case strings.HasPrefix(element, ".."):
			return fmt.Errorf("path %s has an element that begins with \"..\"", denial.Quote(file))
		}
		for _, c := range []byte(element) {
			if !isKeyByte(c) {
				return fmt.Errorf("path %s has a character that is not a letter, a digit, \"-\", \"_\" or \".\"", denial.Quote(file))
			}
		}
	}
	return nil
}

// isKeyByte reports whether c may stand in a ConfigMap's key (fact V6).
func isKeyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}
