package yamledit

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is a member of a mapping or an item of a sequence.
type entry struct {
	// key is nil for an item.
	key, value *yaml.Node
	// line is the first line of the entry in the document, or 0 if the entry is new.
	line int
	// limit is the last line that can belong to the entry: the line before the next entry that has a line.
	limit int
}

// splicer collects the edits that turn the text of a document into the text of its changed tree.
type splicer struct {
	document *Document
	lines    []string
	edits    []edit
	compact  bool
}

// splice changes only the lines of changed entries. The caller must check that the result has the value of the tree,
// because some layouts of YAML are not supported.
func splice(document *Document) (string, error) {
	s := &splicer{
		document: document,
		lines:    slices.Collect(strings.Lines(string(document.text))),
		compact:  hasCompactLists(document.root),
	}
	last := len(s.lines)
	for i, line := range s.lines {
		if strings.HasPrefix(line, "...") {
			last = i
		}
	}
	if s.mustRewrite(document.root) {
		return "", fmt.Errorf("the root changes as a whole")
	}
	if err := s.walk(document.root, last); err != nil {
		return "", err
	}
	return applyEdits(s.lines, s.edits)
}

// walk adds the edits for the entries of a collection, whose text ends at line last or before it.
func (s *splicer) walk(node *yaml.Node, last int) error {
	column := entryColumn(node)
	end := s.line(node) - 1 // the last line of the previous entry
	for _, entry := range s.entries(node, last) {
		if entry.line > 0 {
			end = s.end(entry, column)
		}
		var err error
		switch {
		case entry.line == 0:
			err = s.insert(entry, column, end+1)
		case s.mustRewrite(entry.value):
			err = s.rewrite(entry, column, end)
		default:
			err = s.walk(entry.value, entry.limit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entryColumn returns the column of the entries of a block collection. If a mapping has an anchor, its own position is
// that of the anchor.
func entryColumn(node *yaml.Node) int {
	if node.Kind == yaml.MappingNode && len(node.Content) > 0 && !isNew(node.Content[0]) {
		return node.Content[0].Column
	}
	return node.Column
}

// entries returns the entries of a collection. A scalar has none.
func (s *splicer) entries(node *yaml.Node, last int) []entry {
	var entries []entry
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			entries = append(entries, entry{key: key, value: value, line: s.line(key)})
		}
	case yaml.SequenceNode:
		for _, item := range node.Content {
			entries = append(entries, entry{value: item, line: s.line(s.document.original(item))})
		}
	}
	for i := range slices.Backward(entries) {
		entries[i].limit = last
		if entries[i].line > 0 {
			last = entries[i].line - 1
		}
	}
	return entries
}

// block returns a collection of one entry, to be rendered. Comments before and after an entry in the text stay in the
// text, so the block does not contain them.
func (e entry) block() *yaml.Node {
	key, value := e.key, e.value
	if e.line > 0 {
		value = withoutOuterComments(value)
	}
	if key == nil {
		return &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}}
	}
	if e.line > 0 {
		key = withoutOuterComments(key)
		key.LineComment = ""
	}
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}}
}

// line returns the line of a node, counted from the start of the document. It returns 0 for a new node.
func (s *splicer) line(node *yaml.Node) int {
	if isNew(node) {
		return 0
	}
	return node.Line - s.document.line + 1
}

// end returns the last line of an entry of a collection at a column. Blank lines after the entry belong to the next
// entry, and also comments that are not indented more than the collection. All lines of a block scalar are indented
// more.
func (s *splicer) end(entry entry, column int) int {
	last := entry.limit
	for last > entry.line {
		line := s.lines[last-1]
		content := strings.TrimLeft(line, " ")
		blank := strings.TrimSpace(content) == ""
		comment := strings.HasPrefix(content, "#") && len(line)-len(content) < column
		if !blank && !comment {
			break
		}
		last--
	}
	return last
}

// mustRewrite reports whether a node cannot be changed line by line. The node is new, it lost entries, or it is a flow
// collection that changed.
func (s *splicer) mustRewrite(node *yaml.Node) bool {
	return isNew(node) || s.document.lostEntries[node] || isFlow(node) && s.differs(node)
}

// differs reports whether a node or a node inside it is new or lost entries.
func (s *splicer) differs(node *yaml.Node) bool {
	return isNew(node) || s.document.lostEntries[node] || slices.ContainsFunc(node.Content, s.differs)
}

// insert adds an edit that inserts a new entry before a line.
func (s *splicer) insert(entry entry, column, before int) error {
	text, err := s.render(entry.block(), column)
	if err != nil {
		return err
	}
	s.edits = append(s.edits, edit{first: before, last: before - 1, text: strings.Repeat(" ", column-1) + text})
	return nil
}

// rewrite adds an edit that replaces the lines of an entry.
func (s *splicer) rewrite(entry entry, column, last int) error {
	text, err := s.render(entry.block(), column)
	if err != nil {
		return err
	}
	s.edits = append(s.edits, edit{first: entry.line, column: column, last: last, text: text})
	return nil
}

// render renders a block that starts at a column, without the spaces before its first line.
func (s *splicer) render(block *yaml.Node, column int) (string, error) {
	text, err := encode(block, s.compact)
	if err != nil {
		return "", err
	}
	indent := strings.Repeat(" ", column-1)
	var indented strings.Builder
	for line := range strings.Lines(string(text)) {
		if indented.Len() > 0 && line != "\n" {
			indented.WriteString(indent)
		}
		indented.WriteString(line)
	}
	return indented.String(), nil
}
