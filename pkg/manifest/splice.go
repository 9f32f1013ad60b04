package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit is a change of the document's text: lines first to last, the first one
// from a column on, become text. An insertion has last = first - 1: it stands
// in front of line first. Lines and columns count from 1, in the document.
type edit struct {
	first, column, last int
	text                string
}

// splicer finds the edits that make a document's text say what its patched
// tree says. Whatever is unchanged is never written anew.
type splicer struct {
	document *Document
	lines    []string
	edits    []edit
	compact  bool
}

// splice yields the text with the changes in it. The result is a proposal: the
// caller has to see whether it reads as the tree.
func splice(document *Document) (string, error) {
	s := &splicer{document: document, lines: slices.Collect(strings.Lines(string(document.text)))}
	s.compact = compactLists(document.root)
	last := len(s.lines)
	for i, line := range s.lines {
		if strings.HasPrefix(line, "...") {
			last = i
		}
	}
	if document.rewritten(document.root) {
		return "", fmt.Errorf("the whole document is to be written anew")
	}
	if err := s.walk(document.root, last); err != nil {
		return "", err
	}
	return s.join()
}

// join makes the edits, which are in the order of the text.
func (s *splicer) join() (string, error) {
	newline := "\n"
	if bytes.Contains(s.document.text, []byte("\r\n")) {
		newline = "\r\n"
	}
	var joined strings.Builder
	done := 0 // how many lines are
	for _, change := range s.edits {
		start := change.first - 1
		if start < done || change.last < start || change.last > len(s.lines) {
			return "", fmt.Errorf("line %d cannot be changed by itself", change.first)
		}
		joined.WriteString(strings.Join(s.lines[done:start], ""))
		if start > 0 && !strings.HasSuffix(s.lines[start-1], "\n") {
			joined.WriteString(newline)
		}
		if change.last > start {
			runes := []rune(s.lines[start])
			if change.column > len(runes) {
				return "", fmt.Errorf("column %d is not in line %d", change.column, change.first)
			}
			joined.WriteString(string(runes[:change.column-1]))
		}
		joined.WriteString(strings.ReplaceAll(change.text, "\n", newline))
		done = change.last
	}
	joined.WriteString(strings.Join(s.lines[done:], ""))
	return joined.String(), nil
}

// line is the node's, counted in the document.
func (s *splicer) line(node *yaml.Node) int { return node.Line - s.document.Line + 1 }

// walk goes through the patched tree. The node's text ends at line last at the latest.
func (s *splicer) walk(node *yaml.Node, last int) error {
	switch node.Kind {
	case yaml.MappingNode:
		return s.walkMapping(node, last)
	case yaml.SequenceNode:
		return s.walkSequence(node, last)
	}
	return nil
}

func (s *splicer) walkMapping(node *yaml.Node, last int) error {
	content := node.Content
	end := last
	for i := 0; i+1 < len(content); i += 2 {
		key, value := content[i], content[i+1]
		if isNew(key) {
			text, err := s.render(node.Column, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}})
			if err != nil {
				return err
			}
			s.edits = append(s.edits, edit{first: end + 1, last: end, text: strings.Repeat(" ", node.Column-1) + text})
			continue
		}
		limit := last
		if i+2 < len(content) && !isNew(content[i+2]) {
			limit = s.line(content[i+2]) - 1
		}
		end = s.end(s.line(key), limit, node.Column)
		if !s.document.rewritten(value) {
			if err := s.walk(value, limit); err != nil {
				return err
			}
			continue
		}
		bare := *key
		bare.HeadComment, bare.LineComment, bare.FootComment = "", "", ""
		text, err := s.render(node.Column, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{&bare, withoutComments(value)}})
		if err != nil {
			return err
		}
		s.edits = append(s.edits, edit{s.line(key), key.Column, end, text})
	}
	return nil
}

func (s *splicer) walkSequence(node *yaml.Node, last int) error {
	// What is inserted before the first old item stands before its dash.
	end := s.line(node) - 1
	for i, item := range node.Content {
		if isNew(item) && s.document.replaced[item] == nil {
			text, err := s.render(node.Column, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}})
			if err != nil {
				return err
			}
			s.edits = append(s.edits, edit{first: end + 1, last: end, text: strings.Repeat(" ", node.Column-1) + text})
			continue
		}
		first := s.origin(item)
		limit := last
		for _, next := range node.Content[i+1:] {
			if line := s.origin(next); line > 0 {
				limit = line - 1
				break
			}
		}
		end = s.end(first, limit, node.Column)
		if !s.document.rewritten(item) {
			if err := s.walk(item, limit); err != nil {
				return err
			}
			continue
		}
		text, err := s.render(node.Column, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{withoutComments(item)}})
		if err != nil {
			return err
		}
		s.edits = append(s.edits, edit{first, node.Column, end, text})
	}
	return nil
}

// origin is the line of a list's item, or of the one that it replaces; 0 for
// one that is new.
func (s *splicer) origin(item *yaml.Node) int {
	if old := s.document.replaced[item]; old != nil {
		item = old
	}
	if isNew(item) {
		return 0
	}
	return s.line(item)
}

// end is the last line of what begins in line first, of a collection in a
// column: blank lines and comments that are not further in belong to what
// comes after. (In a literal block every line is further in.)
func (s *splicer) end(first, limit, column int) int {
	for limit > first {
		line := s.lines[limit-1]
		content := strings.TrimLeft(line, " ")
		blank := strings.TrimSpace(content) == ""
		comment := strings.HasPrefix(content, "#") && len(line)-len(content) < column
		if !blank && !comment {
			break
		}
		limit--
	}
	return limit
}

// render writes a collection as it is to stand in a column, without the
// spaces in front of its first line.
func (s *splicer) render(column int, node *yaml.Node) (string, error) {
	text, err := encode(node, s.compact)
	if err != nil {
		return "", err
	}
	indent := strings.Repeat(" ", column-1)
	var shifted strings.Builder
	for line := range strings.Lines(string(text)) {
		if shifted.Len() > 0 && line != "\n" {
			shifted.WriteString(indent)
		}
		shifted.WriteString(line)
	}
	return shifted.String(), nil
}
