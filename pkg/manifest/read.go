package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is one YAML or JSON document of an input.
type Document struct {
	// File is what messages call the input; Line is where the document
	// starts in it, from 1.
	File string
	Line int
	// Objects are the Kubernetes objects in it: one, or the items of a list;
	// none in a document that holds only comments, or no object.
	Objects []*Object

	// before is the separator in front of the text: "---", or nothing.
	before string
	text   []byte
	// root is the document's value, nil where there is none; frame is what the
	// parser puts around it, with the comments at the document's ends.
	root, frame *yaml.Node
	json        bool
	// expanded says that aliases were replaced by what they stand for.
	expanded bool
	changed  bool
	// replaced are the old nodes by those that took their place.
	replaced map[*yaml.Node]*yaml.Node
	// shrunk are the collections that something was taken from.
	shrunk map[*yaml.Node]bool
}

// Largest is how many bytes of one input are read. What a cluster stores in an
// object is two orders less.
const Largest = 32 << 20

// Read takes a file of manifests apart. It goes on past malformed documents;
// the error is then Problems.
func Read(file string, text []byte) ([]*Document, error) {
	if len(text) > Largest {
		return nil, Problems{{file, 1, fmt.Sprintf("has %d bytes, and at most %d are read; split it", len(text), Largest)}}
	}
	documents := split(file, text)
	var malformed Problems
	for _, document := range documents {
		if err := document.parse(); err != nil {
			malformed = append(malformed, document.locate(err))
		}
	}
	if len(malformed) > 0 {
		return nil, malformed
	}
	return documents, nil
}

// split cuts at the lines that begin with "---": at a line's first column they
// mean nothing else in YAML, nor can they stand there in JSON.
func split(file string, text []byte) []*Document {
	current := &Document{File: file, Line: 1}
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
			current = &Document{File: file, Line: line, before: separator}
			documents = append(documents, current)
		}
		at = end
	}
	current.text = text[start:]
	return documents
}

const separator = "---"

func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte(separator))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

func (d *Document) parse() error {
	if isDirectives(d.text) {
		return nil
	}
	if trimmed := bytes.TrimSpace(d.text); len(trimmed) > 0 && trimmed[0] == '{' {
		if root, err := parseJSON(d.text, d.Line); err == nil {
			d.json, d.root = true, root
			return d.findObjects()
		}
	}
	frame, err := parseYAML(d.text)
	if err != nil || len(frame.Content) == 0 {
		return err
	}
	moveLines(frame, d.Line-1)
	d.frame = frame
	d.root, d.expanded, err = expand(frame.Content[0])
	if err != nil {
		return err
	}
	return d.findObjects()
}

// parseYAML yields a text's only document, without content where there is no
// value in it.
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
			err = fmt.Errorf("yaml: line %d: a second document begins without a line \"---\"", second.Line)
		}
		return nil, err
	}
	if len(node.Content) == 1 && node.Content[0].ShortTag() == "!!null" {
		node.Content = nil
	}
	return &node, nil
}

// isDirectives reports whether a text, in front of a separator, is made of
// directives such as "%YAML 1.2" alone.
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

// moveLines makes the nodes' lines those of the file.
func moveLines(node *yaml.Node, by int) {
	node.Line += by
	for _, child := range node.Content {
		moveLines(child, by)
	}
}

// locate makes a Problem of what is wrong with the document: the parser counts
// lines from the document's first.
func (d *Document) locate(err error) Problem {
	if placed, ok := errors.AsType[*placedError](err); ok {
		return Problem{d.File, placed.line, placed.text}
	}
	text := err.Error()
	line := d.Line
	text = strings.TrimPrefix(text, "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, why, _ := strings.Cut(rest, ": ")
		if count, err := strconv.Atoi(number); err == nil {
			line, text = line+count-1, why
		}
	}
	return Problem{d.File, line, "malformed YAML: " + text}
}

// placedError is something wrong in a line of the file.
type placedError struct {
	line int
	text string
}

func (e *placedError) Error() string { return e.text }
