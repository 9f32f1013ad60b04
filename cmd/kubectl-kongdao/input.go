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

// stdinName is the argument of a flag for standard input.
const stdinName = "-"

// inputs reads the files that flags name.
type inputs struct {
	stdin     io.Reader
	recursive bool
	// stdinFlag is the flag that reads standard input, or "" if none does.
	stdinFlag string
}

// read returns the documents of a flag's files, in the order of the arguments. Files of a folder are in the order of
// their names. It reports the problems of all files.
func (i *inputs) read(flag string, names []string) ([]*manifest.Document, error) {
	var documents []*manifest.Document
	var errs []error
	for _, name := range names {
		files, err := i.files(flag, name)
		errs = append(errs, err)
		for _, file := range files {
			read, err := i.readFile(file)
			errs = append(errs, err)
			documents = append(documents, read...)
		}
	}
	return documents, errors.Join(errs...)
}

// files returns the files that an argument of a flag names.
func (i *inputs) files(flag, name string) ([]string, error) {
	if name == stdinName {
		if err := i.useStdin(flag); err != nil {
			return nil, err
		}
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %q: %w; check the path and its permissions", flag, name, withoutPath(err))
	case !info.IsDir():
		return []string{name}, nil
	}
	files, err := manifestFiles(name, i.recursive)
	switch {
	case err != nil || len(files) > 0:
		return files, err
	case i.recursive:
		return nil, fmt.Errorf("folder %q and its subfolders have no *.yaml, *.yml or *.json files; name other files", name)
	}
	return nil, fmt.Errorf(
		"folder %q has no *.yaml, *.yml or *.json files; name other files, or use -R to read subfolders too", name)
}

// useStdin returns an error if a flag already reads standard input.
func (i *inputs) useStdin(flag string) error {
	switch i.stdinFlag {
	case "":
		i.stdinFlag = flag
		return nil
	case flag:
		return fmt.Errorf("%s - is given twice, but standard input can be read only once; remove one of them", flag)
	}
	return fmt.Errorf("%s - and %s - are both given, but standard input can be read only once; use a file for one of them",
		i.stdinFlag, flag)
}

func (i *inputs) readFile(file string) ([]*manifest.Document, error) {
	source := i.stdin
	if file == stdinName {
		file = "stdin"
	} else {
		opened, err := os.Open(file) //nolint:gosec // the user chooses the file
		if err != nil {
			return nil, err
		}
		defer func() { _ = opened.Close() }() // it was only read
		source = opened
	}
	text, err := io.ReadAll(io.LimitReader(source, yamledit.MaxInputBytes+1))
	if err != nil {
		return nil, err
	}
	return manifest.Read(file, text)
}

// manifestFiles returns the files of a folder that can contain manifests.
func manifestFiles(folder string, recursive bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != folder && !recursive:
			return fs.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}
