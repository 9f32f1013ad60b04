package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/pack"
)

// Limits of a plugin's folder. A plugin is much smaller. They stop pack early if it is run on a home folder.
const (
	maxFolderFiles = 5000
	maxFolderBytes = 64 << 20
)

// readFolder returns the contents of a plugin's files by slash-separated path. It follows links to files, which are in
// each folder that Kubernetes mounts from a ConfigMap.
func readFolder(folder string) (map[string][]byte, denial.List) {
	reader := folderReader{folder: folder, files: map[string][]byte{}}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		if err == nil {
			err = errors.New("is not a folder; name the folder that contains handler.lua")
		}
		reader.deny("%v", withoutPath(err))
		return nil, reader.denials
	}
	// WalkDir does not follow a root that is a link.
	root, err := filepath.EvalSymlinks(folder)
	if err == nil {
		err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			relative, relErr := filepath.Rel(root, path)
			if relErr != nil {
				return relErr
			}
			return reader.visit(path, filepath.ToSlash(relative), entry, err)
		})
	}
	if err != nil {
		reader.deny("%v", err)
	}
	return reader.files, reader.denials
}

type folderReader struct {
	folder  string
	files   map[string][]byte
	bytes   int64
	denials denial.List
}

func (r *folderReader) deny(format string, args ...any) {
	args = append([]any{denial.Quote(r.folder)}, args...)
	r.denials = append(r.denials, denial.New(denial.BrokenPlugin, "folder %s: "+format, args...))
}

// visit handles one entry of the folder. The argument err is the error of reading the entry's folder.
func (r *folderReader) visit(path, relative string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		r.deny("%s: %v", denial.Quote(relative), withoutPath(err))
		return nil
	case relative == ".":
		return nil
	case pack.Excludes(relative):
		r.files[relative] = nil // pack.Pack warns of it
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	case entry.IsDir():
		return nil
	}
	return r.readFile(path, relative)
}

func (r *folderReader) readFile(path, relative string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.deny("%s is a link to a file that does not exist; create the file, or remove the link", denial.Quote(relative))
		return nil
	case err != nil:
		r.deny("%s: %v", denial.Quote(relative), withoutPath(err))
		return nil
	case !info.Mode().IsRegular():
		r.deny("%s is a link to a folder, or a special file; replace it with the files themselves", denial.Quote(relative))
		return nil
	}
	if r.bytes += info.Size(); r.bytes > maxFolderBytes || len(r.files) >= maxFolderFiles {
		r.deny("has more than %d files or %d bytes; name the folder that contains handler.lua",
			maxFolderFiles, maxFolderBytes)
		return fs.SkipAll
	}
	content, err := os.ReadFile(path) //nolint:gosec // the user chooses the folder
	if err != nil {
		r.deny("%s: %v", denial.Quote(relative), withoutPath(err))
		return nil
	}
	r.files[relative] = content
	return nil
}

// withoutPath returns the cause of an error about a file, for a message that already names the file.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
