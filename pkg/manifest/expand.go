package manifest

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// most is how many nodes a document may have once its aliases are expanded.
// The parser builds a tree in which each alias is one node, whatever it stands
// for: only here can a small text become a large one.
const most = 500_000

// expand yields the tree with every alias and merge key replaced by what it
// stands for, and whether there were any: a patch of one pod must not reach
// another that shares its lines.
func expand(root *yaml.Node) (*yaml.Node, bool, error) {
	if !hasAlias(root) {
		return root, false, nil
	}
	expander := expander{open: map[*yaml.Node]bool{}}
	expanded := expander.copy(root)
	if expander.err != nil {
		return nil, false, expander.err
	}
	return expanded, true, nil
}

func hasAlias(node *yaml.Node) bool {
	return node.Kind == yaml.AliasNode || slices.ContainsFunc(node.Content, hasAlias)
}

type expander struct {
	count int
	// open are the anchors that are being expanded.
	open map[*yaml.Node]bool
	err  error
}

func (e *expander) copy(node *yaml.Node) *yaml.Node {
	if e.count++; e.count > most && e.err == nil {
		e.err = &placedError{node.Line, "malformed YAML: its aliases stand for too much; write them out, or split the document"}
	}
	if node.Kind == yaml.AliasNode {
		node = e.target(node)
	}
	if e.err != nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	e.open[node] = true
	defer delete(e.open, node)
	copied := *node
	copied.Anchor = ""
	copied.Content = make([]*yaml.Node, 0, len(node.Content))
	if node.Kind == yaml.MappingNode {
		e.copyMembers(&copied, node)
		return &copied
	}
	for _, child := range node.Content {
		copied.Content = append(copied.Content, e.copy(child))
	}
	return &copied
}

func (e *expander) target(alias *yaml.Node) *yaml.Node {
	if e.open[alias.Alias] && e.err == nil {
		e.err = &placedError{alias.Line, "malformed YAML: alias *" + alias.Value + " stands for something that it is itself in"}
	}
	return alias.Alias
}

// copyMembers copies a mapping's members, and adds those that merge keys bring
// and the mapping does not have itself.
func (e *expander) copyMembers(copied, node *yaml.Node) {
	has := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; key.Tag != "!!merge" {
			has[key.Value] = true
			copied.Content = append(copied.Content, e.copy(key), e.copy(node.Content[i+1]))
		}
	}
	for i := 0; i+1 < len(node.Content) && e.err == nil; i += 2 {
		if node.Content[i].Tag == "!!merge" {
			e.merge(copied, e.copy(node.Content[i+1]), has)
		}
	}
}

func (e *expander) merge(into, merged *yaml.Node, has map[string]bool) {
	if merged.Kind == yaml.SequenceNode {
		for _, one := range merged.Content {
			e.merge(into, one, has)
		}
		return
	}
	for i := 0; i+1 < len(merged.Content); i += 2 {
		if key := merged.Content[i]; !has[key.Value] {
			has[key.Value] = true
			into.Content = append(into.Content, key, merged.Content[i+1])
		}
	}
}
