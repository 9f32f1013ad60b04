package yamledit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Operation is an operation of a JSON patch (RFC 6902).
type Operation struct {
	// Op is "add", "replace" or "remove".
	Op string
	// Path is a JSON pointer from the root of the document.
	Path string
	// Value is encoded with encoding/json.
	Value any
}

// Apply applies an operation to the document.
func (d *Document) Apply(operation Operation) error {
	if err := d.apply(operation); err != nil {
		return fmt.Errorf("%s %s: %w", operation.Op, operation.Path, err)
	}
	d.changed = true
	return nil
}

func (d *Document) apply(operation Operation) error {
	value, err := newNode(operation.Value)
	if err != nil {
		return err
	}
	path := strings.Split(operation.Path, "/")[1:]
	for i, name := range path {
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	if d.root == nil || len(path) == 0 {
		return fmt.Errorf("the path is not inside a value")
	}
	parent, last := d.root, len(path)-1
	for _, name := range path[:last] {
		if parent, err = child(parent, name); err != nil {
			return err
		}
	}
	switch operation.Op {
	case "add":
		return d.add(parent, path[last], value)
	case "replace":
		return d.replace(parent, path[last], value)
	case "remove":
		return d.remove(parent, path[last])
	}
	return fmt.Errorf("the operation is unknown; use add, replace or remove")
}

// child returns the member or item of a collection that a path element names.
func child(parent *yaml.Node, name string) (*yaml.Node, error) {
	i, err := contentIndex(parent, name)
	if err != nil {
		return nil, err
	}
	return parent.Content[i], nil
}

// contentIndex returns the position of a member's value or of an item in the content of its parent.
func contentIndex(parent *yaml.Node, name string) (int, error) {
	switch parent.Kind {
	case yaml.MappingNode:
		if i := valueIndex(parent, name); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("the mapping has no key %q", name)
	case yaml.SequenceNode:
		return itemIndex(name, len(parent.Content)-1)
	}
	return 0, fmt.Errorf("%q is not in a mapping or a list", name)
}

// itemIndex parses the index of a list item, which is at most last.
func itemIndex(name string, last int) (int, error) {
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i <= last {
		return i, nil
	}
	return 0, fmt.Errorf("index %q is not in the list", name)
}

func (d *Document) add(parent *yaml.Node, name string, value *yaml.Node) error {
	if parent.Kind == yaml.SequenceNode {
		length := len(parent.Content)
		if name == "-" {
			name = strconv.Itoa(length)
		}
		i, err := itemIndex(name, length)
		if err != nil {
			return err
		}
		parent.Content = slices.Insert(parent.Content, i, value)
		return nil
	}
	if parent.Kind != yaml.MappingNode || valueIndex(parent, name) >= 0 {
		return d.replace(parent, name, value)
	}
	key, err := newNode(name)
	if err != nil {
		return err
	}
	parent.Content = append(parent.Content, key, value)
	return nil
}

// replace keeps the quotes and the line comment of a scalar.
func (d *Document) replace(parent *yaml.Node, name string, value *yaml.Node) error {
	i, err := contentIndex(parent, name)
	if err != nil {
		return err
	}
	old := parent.Content[i]
	parent.Content[i] = value
	if old.Kind == yaml.ScalarNode && value.Kind == yaml.ScalarNode {
		value.LineComment = old.LineComment
		if old.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			value.Style = old.Style
		}
	}
	if d.replaced == nil {
		d.replaced = map[*yaml.Node]*yaml.Node{}
	}
	d.replaced[value] = d.original(old)
	return nil
}

// original returns the node in the text that a node replaces. For all other nodes it returns the node itself.
func (d *Document) original(node *yaml.Node) *yaml.Node {
	if replaced := d.replaced[node]; replaced != nil {
		return replaced
	}
	return node
}

func (d *Document) remove(parent *yaml.Node, name string) error {
	i, err := contentIndex(parent, name)
	if err != nil {
		return err
	}
	first := i
	if parent.Kind == yaml.MappingNode {
		first = i - 1 // the key
	}
	parent.Content = slices.Delete(parent.Content, first, i+1)
	if d.lostEntries == nil {
		d.lostEntries = map[*yaml.Node]bool{}
	}
	d.lostEntries[parent] = true
	return nil
}

// newNode converts a value to nodes in block style that have no line. Members are in the order of the value's JSON.
func newNode(value any) (*yaml.Node, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	node, err := parseJSON(encoded.Bytes(), 0)
	if err != nil {
		return nil, err
	}
	return node, setBlockStyle(node)
}

// setBlockStyle changes nodes that were parsed from JSON to block style, and clears their positions.
func setBlockStyle(node *yaml.Node) error {
	node.Line, node.Column, node.Style = 0, 0, 0
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		// Encode adds quotes to strings such as "yes", which YAML 1.1 parsers read as booleans.
		if err := node.Encode(node.Value); err != nil {
			return err
		}
		node.Line, node.Column = 0, 0
	}
	for _, child := range node.Content {
		if err := setBlockStyle(child); err != nil {
			return err
		}
	}
	return nil
}
