package yamledit

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Join renders the documents of one or more files as one text. It adds a separator where a file has none.
func Join(documents []*Document) ([]byte, error) {
	var joined bytes.Buffer
	for _, document := range documents {
		text, err := document.renderText()
		if err != nil {
			return nil, err
		}
		before := document.separator
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

// Render returns the document with its changes, and the separator before it.
func (d *Document) Render() ([]byte, error) {
	text, err := d.renderText()
	return slices.Concat([]byte(d.separator), text), err
}

// renderText returns the document without the separator.
func (d *Document) renderText() ([]byte, error) {
	switch {
	case !d.changed:
		return d.text, nil
	case d.isJSON:
		return renderJSON(d.root, d.text)
	}
	if !d.expanded {
		text, err := splice(d)
		if err == nil && d.isText([]byte(text)) {
			return []byte(text), nil
		}
	}
	return d.encodeWhole()
}

// isText reports whether the tree is the value of a text.
func (d *Document) isText(text []byte) bool {
	frame, err := parseYAML(text)
	return err == nil && len(frame.Content) == 1 && sameValue(frame.Content[0], d.root)
}

// encodeWhole encodes the whole document, with its comments. It is the fallback for documents with aliases, and for a
// layout that splice does not support.
func (d *Document) encodeWhole() ([]byte, error) {
	frame := *d.frame
	frame.Content = []*yaml.Node{d.root}
	text, err := encode(&frame, hasCompactLists(d.frame.Content[0]))
	if err != nil {
		return nil, &Error{File: d.File, Line: d.line, Message: err.Error()}
	}
	if !d.isText(text) {
		return nil, &Error{
			File: d.File, Line: d.line,
			Message: "the changed document cannot be written as YAML; convert the document to JSON, or simplify its YAML",
		}
	}
	if d.separator != "" {
		text = append([]byte("\n"), text...)
	}
	return text, nil
}

// encode encodes nodes with two spaces of indentation. If compact is true, the items of a list in a mapping are not
// indented.
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

// hasCompactLists reports whether the first block list in a mapping is not indented. It returns true if there is no
// block list, because most Kubernetes manifests use this form.
func hasCompactLists(root *yaml.Node) bool {
	list, parent := firstListInMapping(root)
	return list == nil || list.Column == parent.Column
}

func firstListInMapping(node *yaml.Node) (list, parent *yaml.Node) {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 1 && child.Kind == yaml.SequenceNode &&
			!isFlow(child) && child.Anchor == "" && !isNew(child) {
			return child, node
		}
		if list, parent = firstListInMapping(child); list != nil {
			return list, parent
		}
	}
	return nil, nil
}
