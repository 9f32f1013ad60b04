package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"kongdao.io/kongdao/pkg/manifest"
)

// readInputs reads what -f names, in that order; in a folder, by name.
func readInputs(stdin io.Reader, names []string, recursive bool) ([]*manifest.Document, error) {
	var documents []*manifest.Document
	var wrong []error
	seen := false
	for _, name := range names {
		if name == "-" && seen {
			wrong = append(wrong, errors.New("-f - is given twice, and standard input can be read once"))
			continue
		}
		seen = seen || name == "-"
		files, err := filesOf(name, recursive)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		for _, file := range files {
			read, err := readInput(stdin, file)
			if err != nil {
				wrong = append(wrong, err)
			}
			documents = append(documents, read...)
		}
	}
	return documents, errors.Join(wrong...)
}

func readInput(stdin io.Reader, file string) ([]*manifest.Document, error) {
	source := stdin
	if file == "-" {
		file = "stdin"
	} else {
		opened, err := os.Open(file) //nolint:gosec // whoever names a file wants it read
		if err != nil {
			return nil, err
		}
		defer func() { _ = opened.Close() }() // only read
		source = opened
	}
	text, err := io.ReadAll(io.LimitReader(source, manifest.Largest+1))
	if err != nil {
		return nil, err
	}
	return manifest.Read(file, text)
}

// filesOf yields the files that a name given with -f means.
func filesOf(name string, recursive bool) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && !recursive:
			return fs.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("folder %q has no *.yaml, *.yml or *.json; name files, or read folders within it with -R", name)
	}
	return files, err
}
