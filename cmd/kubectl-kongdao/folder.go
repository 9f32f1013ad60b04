package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/pack"
)

// How much of a folder is read, in files and in bytes: a plugin is far
// smaller, and somebody will pack their home folder by mistake.
const (
	mostFiles = 5000
	mostBytes = 64 << 20
)

// readFolder reads a plugin's files, by slash-separated path. Links to files
// are followed, as in a folder that Kubernetes itself mounted.
func readFolder(folder string) (map[string][]byte, denial.List) {
	reader := folderReader{folder: folder, files: map[string][]byte{}}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		if err == nil {
			err = errors.New("is not a folder; name the one that handler.lua is in")
		}
		reader.deny("%v", withoutPath(err))
		return nil, reader.denied
	}
	// A walk does not enter a folder that is a link itself.
	root, err := filepath.EvalSymlinks(folder)
	if err == nil {
		err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			relative, outside := filepath.Rel(root, path)
			if outside != nil {
				return outside
			}
			return reader.visit(path, filepath.ToSlash(relative), entry, err)
		})
	}
	if err != nil {
		reader.deny("%v", err)
	}
	return reader.files, reader.denied
}

type folderReader struct {
	folder string
	files  map[string][]byte
	bytes  int64
	denied denial.List
}

func (r *folderReader) deny(format string, args ...any) {
	args = append([]any{denial.Quote(r.folder)}, args...)
	r.denied = append(r.denied, denial.New(denial.BrokenPlugin, "folder %s: "+format, args...))
}

func (r *folderReader) visit(path, relative string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		r.deny("%s: %v", denial.Quote(relative), withoutPath(err))
		return nil
	case relative == ".":
		return nil
	case pack.Excludes(relative):
		r.files[relative] = nil // packing says that it is left out
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	case entry.IsDir():
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.deny("%s: %v", denial.Quote(relative), withoutPath(err))
		return nil
	case !info.Mode().IsRegular():
		r.deny("%s is neither a file nor a folder of its own, nor a link to a file; put the files themselves there", denial.Quote(relative))
		return nil
	}
	if r.bytes += info.Size(); r.bytes > mostBytes || len(r.files) >= mostFiles {
		r.deny("has more than %d files or %d bytes; name the folder that handler.lua is in", mostFiles, mostBytes)
		return fs.SkipAll
	}
	content, err := os.ReadFile(path) //nolint:gosec // whoever names a folder wants its files read
	if err != nil {
		r.deny("%s: %v", denial.Quote(relative), withoutPath(err))
		return nil
	}
	r.files[relative] = content
	return nil
}

// withoutPath is the cause of an error about a file, where the message names
// the file already.
func withoutPath(err error) error {
	if placed, ok := errors.AsType[*fs.PathError](err); ok {
		return placed.Err
	}
	return err
}
