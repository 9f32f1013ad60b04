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
	"kongdao.io/kongdao/pkg/yamledit"
)

// inputs reads what flags name.
type inputs struct {
	stdin     io.Reader
	recursive bool
	// stdinBy is the flag that has named standard input, "" for none.
	stdinBy string
}

// read reads what a flag names, in that order; in a folder, by name.
func (i *inputs) read(flag string, names []string) ([]*manifest.Document, error) {
	var documents []*manifest.Document
	var wrong []error
	for _, name := range names {
		if name == "-" {
			switch i.stdinBy {
			case "":
				i.stdinBy = flag
			case flag:
				wrong = append(wrong, fmt.Errorf("%s - is given twice, and standard input can be read once", flag))
				continue
			default:
				wrong = append(wrong, fmt.Errorf("%s - and %s - are both given, and standard input can be read once; name a file with one of them", i.stdinBy, flag))
				continue
			}
		}
		files, err := filesOf(name, i.recursive)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		for _, file := range files {
			read, err := readInput(i.stdin, file)
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
	text, err := io.ReadAll(io.LimitReader(source, yamledit.MaxInputBytes+1))
	if err != nil {
		return nil, err
	}
	return manifest.Read(file, text)
}

// filesOf yields the files that a name given with a flag means.
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
