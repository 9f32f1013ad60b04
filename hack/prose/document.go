package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// document is one file with its prose.
type document struct {
	path  string
	lines []string
	// prose holds comments and pages.
	prose blocks
	// messages holds what programs print: errors, warnings, help.
	messages blocks
	// data are the lines inside of multi-line literals and output samples, by number. They have no length limit.
	data map[int]bool
}

// read reads a file and its prose.
func read(root, name string) (*document, error) {
	content, err := os.ReadFile(filepath.Join(root, name)) //nolint:gosec // a file of the checked tree
	if err != nil {
		return nil, err
	}
	doc := &document{path: name, lines: strings.Split(string(content), "\n"), data: map[int]bool{}}
	if extract := extractor(name); extract != nil {
		if err := extract(doc); err != nil {
			return nil, fmt.Errorf("read the prose of %s: %w", name, err)
		}
		doc.prose.end()
		doc.messages.end()
	}
	return doc, nil
}

// finding is one problem, with the place to change.
type finding struct {
	path string
	position
	message string
	rule    string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s (%s)", f.path, f.line, f.column, f.message, f.rule)
}
