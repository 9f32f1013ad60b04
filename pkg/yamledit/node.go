package yamledit

import "go.yaml.in/yaml/v3"

// Member returns the value of a key of a mapping. It returns nil if there is no such key or the node is not a mapping.
func Member(node *yaml.Node, key string) *yaml.Node {
	if i := valueIndex(node, key); i >= 0 {
		return node.Content[i]
	}
	return nil
}

// valueIndex returns the position of a key's value in a mapping's content, or -1.
func valueIndex(node *yaml.Node, key string) int {
	if node == nil || node.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key && node.Content[i].Kind == yaml.ScalarNode {
			return i + 1
		}
	}
	return -1
}

// isNew reports whether an operation created the node, so that it has no line in the file.
func isNew(node *yaml.Node) bool { return node.Line == 0 }

// isFlow reports whether a collection is written in brackets or braces.
func isFlow(node *yaml.Node) bool { return node.Style&yaml.FlowStyle != 0 }

// withoutOuterComments returns a copy of the node without the comments before and after it.
func withoutOuterComments(node *yaml.Node) *yaml.Node {
	bare := *node
	bare.HeadComment, bare.FootComment = "", ""
	return &bare
}

// sameValue reports whether two trees have the same values. Comments and styles may differ.
func sameValue(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind == yaml.ScalarNode && (a.Value != b.Value || a.ShortTag() != b.ShortTag()) {
		return false
	}
	for i := range a.Content {
		if !sameValue(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
