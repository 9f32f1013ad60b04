package main

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// generated lists files that other files are made into. Their text is checked at its origin.
var generated = []string{
	"deploy/helm/kongdao/README.md",
	"deploy/helm/kongdao/files/crds/*",
	"deploy/kustomize/base/*",
	"pkg/apis/*/zz_generated.*",
}

// skippedFolders hold built files and test data.
var skippedFolders = []string{".git", "bin", "out", "testdata", "node_modules"}

// fixtures are test data, except for the page that describes them.
const fixtures = "test/fixtures/plugins/"

// find returns the files below the paths, relative to root, sorted. Test data and generated files are left out.
func find(root string, paths []string) ([]string, error) {
	var found []string
	for _, start := range paths {
		err := filepath.WalkDir(filepath.Join(root, start), func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if slices.Contains(skippedFolders, entry.Name()) {
					return filepath.SkipDir
				}
				return nil
			}
			relative, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			if slash := filepath.ToSlash(relative); entry.Type().IsRegular() && isChecked(slash) {
				found = append(found, slash)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func isChecked(name string) bool {
	if strings.HasPrefix(name, fixtures) && path.Ext(name) != ".md" {
		return false
	}
	return !slices.ContainsFunc(generated, func(pattern string) bool {
		matched, _ := path.Match(pattern, name)
		return matched
	})
}

// extractor returns the function that reads the prose of a file, or nil for a file without any.
func extractor(name string) func(*document) error {
	switch base := path.Base(name); {
	case base == "Makefile", base == "Dockerfile", name == ".ci/run":
		return lineComments("#")
	case base == "NOTES.txt":
		return plainText
	}
	switch path.Ext(name) {
	case ".go":
		return goSource
	case ".md", ".gotmpl":
		return markdown
	case ".yaml", ".yml", ".tpl":
		return yamlText
	case ".sh", ".toml":
		return lineComments("#")
	case ".lua":
		return lineComments("--")
	case ".json":
		return jsonText
	}
	return nil
}
