package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/pack"
)

// Limits of a plugin's folder. A plugin is much smaller. They stop pack early if it is run on a home folder. They count
// the bytes that were read, because a file can grow, and the files in /proc have the size 0.
const (
	maxFolderFiles = 5000
	maxFolderBytes = 64 << 20
)

// readFolder returns the contents of a plugin's files by slash-separated path. It follows links to files inside the
// folder, which are in each folder that Kubernetes mounts from a ConfigMap. It never reads anything outside the folder,
// whose author can be someone else than the person who packs it.
func readFolder(folder string) (map[string][]byte, denial.List) {
	reader := folderReader{folder: folder, files: map[string][]byte{}, freeBytes: maxFolderBytes}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		if err == nil {
			err = errors.New("is not a folder; name the folder that contains handler.lua")
		}
		reader.deny("%v", withoutPath(err))
		return nil, reader.denials
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		reader.deny("%v", withoutPath(err))
		return nil, reader.denials
	}
	defer func() { _ = root.Close() }() // it was only read
	reader.root = root
	if err := fs.WalkDir(root.FS(), ".", reader.visit); err != nil {
		reader.deny("%v", err)
	}
	return reader.files, reader.denials
}

// folderReader reads the files of one folder.
type folderReader struct {
	folder string
	// root opens nothing outside the folder, also if a link is replaced while pack runs.
	root      *os.Root
	files     map[string][]byte
	freeBytes int64
	denials   denial.List
}

func (r *folderReader) deny(format string, args ...any) {
	args = append([]any{denial.Quote(r.folder)}, args...)
	r.denials = append(r.denials, denial.New(denial.BrokenPlugin, "folder %s: "+format, args...))
}

// visit handles one entry of the folder. The argument err is the error of reading the entry's folder.
func (r *folderReader) visit(path string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		r.deny("%s: %v", denial.Quote(path), withoutPath(err))
		return nil
	case path == ".":
		return nil
	case path == pack.IgnoreFile && !entry.IsDir():
		return r.readFile(path, entry)
	case pack.Excludes(path):
		r.files[path] = nil // pack.Pack warns of it
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	case entry.IsDir():
		return nil
	}
	return r.readFile(path, entry)
}

func (r *folderReader) readFile(path string, entry fs.DirEntry) error {
	info, err := r.root.Stat(path)
	switch {
	case err != nil && entry.Type()&fs.ModeSymlink != 0:
		r.denyLink(path, err)
		return nil
	case err != nil:
		r.deny("%s: %v", denial.Quote(path), withoutPath(err))
		return nil
	case !info.Mode().IsRegular(): // also not opened: opening a pipe or a device can block, or do something
		r.deny("%s is %s; replace it with the files themselves", denial.Quote(path), describeMode(info.Mode()))
		return nil
	}
	content, err := r.read(path)
	if err != nil {
		r.deny("%s: %v", denial.Quote(path), withoutPath(err))
		return nil
	}
	if r.freeBytes -= int64(len(content)); r.freeBytes < 0 || len(r.files) >= maxFolderFiles {
		r.deny("has more than %d files or %d bytes; name the folder that contains handler.lua",
			maxFolderFiles, maxFolderBytes)
		return fs.SkipAll
	}
	r.files[path] = content
	return nil
}

// read returns at most one byte more than the folder may still have.
func (r *folderReader) read(path string) ([]byte, error) {
	// If a pipe has replaced the file, opening it must not wait for a writer.
	file, err := r.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("changed while it was read; run the command again"))
	}
	return io.ReadAll(io.LimitReader(file, r.freeBytes+1))
}

// denyLink denies a link that cannot be followed.
func (r *folderReader) denyLink(path string, err error) {
	target, _ := r.root.Readlink(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.deny("%s is a link to a file that does not exist; create the file, or remove the link", denial.Quote(path))
	case errors.Is(err, fs.ErrPermission):
		r.deny("%s: %v", denial.Quote(path), withoutPath(err))
	case errors.Is(err, syscall.ELOOP):
		r.deny("%s is a link to %s, which leads back to the link; replace it with the file itself",
			denial.Quote(path), denial.Quote(target))
	default: // os.Root has no exported error for paths that leave the folder
		r.deny("%s is a link to %s, which is not in the folder; replace it with a copy of the file, or remove it",
			denial.Quote(path), denial.Quote(target))
	}
}

// describeMode says what an entry is that is not a file.
func describeMode(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a link to a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// withoutPath returns the cause of an error about a file, for a message that already names the file.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
