package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"kongdao.io/kongdao/pkg/mutate"
)

// apply applies an operation, whose path begins below pointer, to the tree.
// What it makes has no line; what it takes away stays known in replaced.
func (d *Document) apply(pointer string, operation mutate.Operation) error {
	value, err := nodeOf(operation.Value)
	if err != nil {
		return err
	}
	path := strings.Split(pointer+operation.Path, "/")[1:]
	for i, name := range path {
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	parent := d.root
	for _, name := range path[:len(path)-1] {
		next, err := child(parent, name)
		if err != nil {
			return fmt.Errorf("%s %s: %w", operation.Op, pointer+operation.Path, err)
		}
		parent = next
	}
	if operation.Op == "remove" {
		err = d.remove(parent, path[len(path)-1])
	} else {
		err = d.set(parent, path[len(path)-1], value, operation.Op == "add")
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", operation.Op, pointer+operation.Path, err)
	}
	d.changed = true
	return nil
}

func child(parent *yaml.Node, name string) (*yaml.Node, error) {
	switch parent.Kind {
	case yaml.MappingNode:
		if found := member(parent, name); found != nil {
			return found, nil
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(parent.Content) {
			return parent.Content[i], nil
		}
	}
	return nil, fmt.Errorf("there is no %q", name)
}

func (d *Document) set(parent *yaml.Node, name string, value *yaml.Node, add bool) error {
	switch parent.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(parent.Content); i += 2 {
			if parent.Content[i].Value == name {
				d.replace(&parent.Content[i+1], value)
				return nil
			}
		}
		if !add {
			return fmt.Errorf("there is no %q", name)
		}
		key, err := nodeOf(name)
		if err != nil {
			return err
		}
		parent.Content = append(parent.Content, key, value)
		return nil
	case yaml.SequenceNode:
		return d.setItem(parent, name, value, add)
	}
	return fmt.Errorf("%q would be in a scalar", name)
}

func (d *Document) setItem(parent *yaml.Node, name string, value *yaml.Node, add bool) error {
	length := len(parent.Content)
	if name == "-" {
		name = strconv.Itoa(length)
	}
	i, err := strconv.Atoi(name)
	switch {
	case err != nil || i < 0 || i > length || i == length && !add:
		return fmt.Errorf("there is no %q in a list of %d", name, length)
	case add:
		parent.Content = slices.Insert(parent.Content, i, value)
	default:
		d.replace(&parent.Content[i], value)
	}
	return nil
}

func (d *Document) remove(parent *yaml.Node, name string) error {
	gone, err := child(parent, name)
	if err != nil {
		return err
	}
	i := slices.Index(parent.Content, gone)
	if parent.Kind == yaml.MappingNode {
		parent.Content = slices.Delete(parent.Content, i-1, i+1)
	} else {
		parent.Content = slices.Delete(parent.Content, i, i+1)
	}
	if d.shrunk == nil {
		d.shrunk = map[*yaml.Node]bool{}
	}
	d.shrunk[parent] = true
	return nil
}

// replace puts value in the place of a node. It keeps how a scalar is quoted
// and the comment in its line.
func (d *Document) replace(place **yaml.Node, value *yaml.Node) {
	old := *place
	if old.Kind == yaml.ScalarNode && value.Kind == yaml.ScalarNode {
		value.LineComment = old.LineComment
		if old.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			value.Style = old.Style
		}
	}
	if original := d.replaced[old]; original != nil {
		old = original
	}
	if d.replaced == nil {
		d.replaced = map[*yaml.Node]*yaml.Node{}
	}
	d.replaced[value] = old
	*place = value
}

// nodeOf makes nodes of a value that an operation writes, in the order of its
// JSON and in block style.
func nodeOf(value any) (*yaml.Node, error) {
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
	return node, restyle(node)
}

// restyle makes nodes that were read from JSON look as people write them, and
// takes their places away: they stand in no file.
func restyle(node *yaml.Node) error {
	node.Line, node.Column, node.Style = 0, 0, 0
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		// The encoder knows which strings need quotes, for older parsers too.
		if err := node.Encode(node.Value); err != nil {
			return err
		}
		node.Line, node.Column = 0, 0
	}
	for _, child := range node.Content {
		if err := restyle(child); err != nil {
			return err
		}
	}
	return nil
}
