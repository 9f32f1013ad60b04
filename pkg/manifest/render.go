package manifest

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Text is the document as it stands in its file, without the separator in
// front of it.
func (d *Document) Text() []byte { return d.text }

// Separator is what stands in front of the text: "---", or nothing in front of
// a file's first document.
func (d *Document) Separator() string { return d.before }

// Changed reports whether Inject changed the document.
func (d *Document) Changed() bool { return d.changed }

// Render yields the document's text as Inject left it: the same bytes where it
// changed nothing.
func (d *Document) Render() ([]byte, error) {
	switch {
	case !d.changed:
		return d.text, nil
	case d.json:
		return renderJSON(d.root, d.text)
	}
	if !d.expanded {
		text, err := splice(d)
		if err == nil && d.saidBy([]byte(text)) {
			return []byte(text), nil
		}
	}
	return d.encodeWhole()
}

// saidBy reports whether a text reads as the document's tree.
func (d *Document) saidBy(text []byte) bool {
	frame, err := parseYAML(text)
	return err == nil && len(frame.Content) == 1 && same(frame.Content[0], d.root)
}

// encodeWhole writes the document anew, with its comments: the way out where
// aliases had to be expanded, or where the text is laid out in a way that
// splice does not understand.
func (d *Document) encodeWhole() ([]byte, error) {
	frame := *d.frame
	frame.Content = []*yaml.Node{d.root}
	text, err := encode(&frame, compactLists(d.frame.Content[0]))
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", d.File, d.Line, err)
	}
	if !d.saidBy(text) {
		return nil, fmt.Errorf("%s:%d: the document cannot be written back; write it as plain YAML or JSON", d.File, d.Line)
	}
	if d.before != "" {
		text = append([]byte("\n"), text...)
	}
	return text, nil
}

func encode(node *yaml.Node, compact bool) ([]byte, error) {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if compact {
		encoder.CompactSeqIndent()
	}
	if err := encoder.Encode(node); err != nil {
		return nil, err
	}
	if err := encoder.Close(); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// WriteYAML joins the documents of files into one text, with a separator
// wherever a file does not bring one.
func WriteYAML(documents []*Document) ([]byte, error) {
	var joined bytes.Buffer
	for _, document := range documents {
		text, err := document.Render()
		if err != nil {
			return nil, err
		}
		before := document.before
		if before == "" && len(text) == 0 {
			continue
		}
		if before == "" && joined.Len() > 0 {
			before = separator + "\n"
		}
		if joined.Len() > 0 && !bytes.HasSuffix(joined.Bytes(), []byte("\n")) {
			joined.WriteByte('\n')
		}
		joined.WriteString(before)
		joined.Write(text)
	}
	return joined.Bytes(), nil
}

// WriteJSON makes one List of the objects in the documents.
func WriteJSON(documents []*Document) ([]byte, error) {
	list := []byte(`{"apiVersion":"v1","kind":"List","items":[`)
	first := true
	for _, document := range documents {
		for _, object := range document.Objects {
			if !first {
				list = append(list, ',')
			}
			first = false
			var err error
			if list, err = appendJSON(list, object.node); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", document.File, object.Line, err)
			}
		}
	}
	list = append(list, "]}"...)
	var text bytes.Buffer
	if err := indentJSON(&text, list); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// isNew reports whether a node stands in no file.
func isNew(node *yaml.Node) bool { return node.Line == 0 }

// differs reports whether something in a node is new or gone.
func (d *Document) differs(node *yaml.Node) bool {
	return isNew(node) || d.shrunk[node] || slices.ContainsFunc(node.Content, d.differs)
}

// rewritten reports whether a node has to be written anew as a whole: one that
// was replaced or has shrunk, or a flow collection in which something differs.
func (d *Document) rewritten(node *yaml.Node) bool {
	return isNew(node) || d.shrunk[node] || node.Style&yaml.FlowStyle != 0 && d.differs(node)
}

// withoutComments is the node without the comments around it: they stand in
// lines that stay.
func withoutComments(node *yaml.Node) *yaml.Node {
	bare := *node
	bare.HeadComment, bare.FootComment = "", ""
	return &bare
}

// compactLists reports whether lists in mappings are written without further
// indentation, as in most of Kubernetes' own files: so says the first one.
func compactLists(node *yaml.Node) bool {
	compact, found := false, false
	var look func(node *yaml.Node)
	look = func(node *yaml.Node) {
		for i, child := range node.Content {
			if found {
				return
			}
			if node.Kind == yaml.MappingNode && i%2 == 1 && child.Kind == yaml.SequenceNode &&
				child.Style&yaml.FlowStyle == 0 && child.Anchor == "" && !isNew(child) {
				compact, found = child.Column == node.Column, true
				return
			}
			look(child)
		}
	}
	look(node)
	return compact || !found
}

// same reports whether two trees say the same.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) || a.Kind == yaml.ScalarNode && (a.Value != b.Value || a.ShortTag() != b.ShortTag()) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
