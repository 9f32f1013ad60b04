package yamledit

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxNodes limits the size of a document after its aliases are expanded. In the parser's tree an alias is one node,
// so only the expansion can turn a small text into a large tree.
const maxNodes = 500_000

// expandAliases returns the tree with a copy in place of each alias and merge key, and whether the tree had any.
// Without the copies, a patch of one value would also change all values that share its lines.
func expandAliases(root *yaml.Node) (*yaml.Node, bool, error) {
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
	// nodes is the number of copied nodes.
	nodes int
	// open are the nodes whose content is being copied.
	open map[*yaml.Node]bool
	// err is the first error. Once it is set, copy returns placeholders.
	err error
}

func (e *expander) copy(node *yaml.Node) *yaml.Node {
	if e.nodes++; e.nodes > maxNodes {
		e.fail(node.Line, "aliases expand to more than %d nodes; write the values out, or split the document", maxNodes)
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

// target returns the node that an alias refers to.
func (e *expander) target(alias *yaml.Node) *yaml.Node {
	if e.open[alias.Alias] {
		e.fail(alias.Line, "alias *%s is inside the value that it refers to; write the value out", alias.Value)
	}
	return alias.Alias
}

func (e *expander) fail(line int, format string, args ...any) {
	if e.err == nil {
		e.err = &Error{Line: line, Message: "malformed YAML: " + fmt.Sprintf(format, args...)}
	}
}

// copyMembers copies the members of a mapping. Then it adds the members of its merge keys that the mapping does not
// set itself.
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
			mergeMembers(copied, e.copy(node.Content[i+1]), has)
		}
	}
}

// mergeMembers adds the members of a merge key's value, which is a mapping or a sequence of mappings.
func mergeMembers(into, merged *yaml.Node, has map[string]bool) {
	if merged.Kind == yaml.SequenceNode {
		for _, mapping := range merged.Content {
			mergeMembers(into, mapping, has)
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
