package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
)

// MaxInputBytes is the size of the largest input that Read accepts.
const MaxInputBytes = 32 << 20

// separator starts a document. It is followed by white space or the end of the line.
const separator = "---"

// Document is one YAML or JSON document of an input.
type Document struct {
	// File is the name of the input in messages.
	File string

	// line is the document's first line in the file, from 1.
	line int
	// separator is "---", or "" for a first document without a separator.
	separator string
	// text is the document as it is in the file, without the separator.
	text []byte
	// root is the document's value, or nil if the document has none.
	root *yaml.Node
	// frame is the parser's document node. It holds the comments at the start and the end. It is nil for JSON.
	frame  *yaml.Node
	isJSON bool
	// expanded is true if aliases were replaced by copies.
	expanded bool
	changed  bool
	// replaced maps a new node to the node in the text that it replaces.
	replaced map[*yaml.Node]*yaml.Node
	// lostEntries are the collections that entries were removed from.
	lostEntries map[*yaml.Node]bool
}

// Read splits a file into its documents and parses them. It continues after a malformed document, and returns one error
// for each. A malformed document has no root.
func Read(file string, text []byte) ([]*Document, []*Error) {
	if len(text) > MaxInputBytes {
		message := fmt.Sprintf("the input has %d bytes, and the limit is %d; split it", len(text), MaxInputBytes)
		return nil, []*Error{{File: file, Line: 1, Message: message}}
	}
	documents := split(file, text)
	var malformed []*Error
	for _, document := range documents {
		if err := document.parse(); err != nil {
			document.root = nil
			malformed = append(malformed, document.locate(err))
		}
	}
	return documents, malformed
}

// split splits a file at its separators.
func split(file string, text []byte) []*Document {
	current := &Document{File: file, line: 1}
	documents := []*Document{current}
	start, line := 0, 0
	for at := 0; at < len(text); {
		line++
		end := len(text)
		if newline := bytes.IndexByte(text[at:], '\n'); newline >= 0 {
			end = at + newline + 1
		}
		if isSeparator(text[at:end]) {
			current.text = text[start:at]
			if at == 0 {
				documents = documents[:0]
			}
			start = at + len(separator)
			current = &Document{File: file, line: line, separator: separator}
			documents = append(documents, current)
		}
		at = end
	}
	current.text = text[start:]
	return documents
}

func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte(separator))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

func (d *Document) parse() error {
	if isDirectives(d.text) {
		return nil
	}
	if trimmed := bytes.TrimSpace(d.text); len(trimmed) > 0 && trimmed[0] == '{' {
		if root, err := parseJSON(d.text, d.line); err == nil {
			d.isJSON, d.root = true, root
			return nil
		}
	}
	frame, err := parseYAML(d.text)
	if err != nil || len(frame.Content) == 0 {
		return err
	}
	moveLines(frame, d.line-1)
	d.frame = frame
	d.root, d.expanded, err = expandAliases(frame.Content[0])
	return err
}

// parseYAML parses the only document of a text. The document node has no content if the text has no value.
func parseYAML(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var node, second yaml.Node
	switch err := decoder.Decode(&node); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.DocumentNode}, nil
	case err != nil:
		return nil, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf("yaml: line %d: a second document starts here; put a line \"---\" before it", second.Line)
		}
		return nil, err
	}
	if len(node.Content) == 1 && node.Content[0].ShortTag() == "!!null" {
		node.Content = nil
	}
	resolveBooleans(&node)
	return &node, nil
}

// isDirectives reports whether a text has directives such as "%YAML 1.2" and no value. The parser rejects it, because
// the value comes after the separator.
func isDirectives(text []byte) bool {
	found := false
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
		case line[0] == '%':
			found = true
		default:
			return false
		}
	}
	return found
}

// moveLines adds an offset to the line of each node. The parser counts from the start of the document.
func moveLines(node *yaml.Node, offset int) {
	node.Line += offset
	for _, child := range node.Content {
		moveLines(child, offset)
	}
}

// Root returns the value of the document, or nil if it has none. Change it only with Apply.
func (d *Document) Root() *yaml.Node { return d.root }

// Changed reports whether an operation changed the document.
func (d *Document) Changed() bool { return d.changed }

// Original returns the document as it is in its file, with the separator before it.
func (d *Document) Original() []byte { return slices.Concat([]byte(d.separator), d.text) }
