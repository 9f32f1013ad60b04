package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseJSON makes a node tree of a JSON text. The YAML parser would not do: it
// knows no surrogate pairs.
func parseJSON(text []byte, line int) (*yaml.Node, error) {
	if !json.Valid(text) { // also bounds how deep it may be nested
		return nil, fmt.Errorf("not JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	reader := jsonReader{decoder: decoder, text: text, line: line}
	return reader.value()
}

// jsonReader counts lines as it goes.
type jsonReader struct {
	decoder *json.Decoder
	text    []byte
	line    int
	counted int
}

func (r *jsonReader) value() (*yaml.Node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	at := int(r.decoder.InputOffset())
	r.line += bytes.Count(r.text[r.counted:at], []byte("\n"))
	r.counted = at
	node := &yaml.Node{Kind: yaml.ScalarNode, Line: r.line, Column: 1}
	switch token := token.(type) {
	case json.Delim:
		node.Kind, node.Tag, node.Style = yaml.MappingNode, "!!map", yaml.FlowStyle
		if token == '[' {
			node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		}
		return node, r.members(node)
	case string:
		node.Tag, node.Value, node.Style = "!!str", token, yaml.DoubleQuotedStyle
	case json.Number:
		node.Tag, node.Value = "!!int", token.String()
		if strings.ContainsAny(node.Value, ".eE") {
			node.Tag = "!!float"
		}
	case bool:
		node.Tag, node.Value = "!!bool", fmt.Sprint(token)
	default:
		node.Tag, node.Value = "!!null", "null"
	}
	return node, nil
}

// members reads keys and values alike up to the closing bracket.
func (r *jsonReader) members(node *yaml.Node) error {
	for r.decoder.More() {
		child, err := r.value()
		if err != nil {
			return err
		}
		node.Content = append(node.Content, child)
	}
	_, err := r.decoder.Token()
	return err
}

// appendJSON writes a tree without aliases as JSON, in its own order, read as
// Kubernetes reads YAML.
func appendJSON(text []byte, node *yaml.Node) ([]byte, error) {
	switch node.Kind {
	case yaml.MappingNode:
		text = append(text, '{')
		for i := 0; i+1 < len(node.Content); i += 2 {
			if i > 0 {
				text = append(text, ',')
			}
			key := node.Content[i]
			if key.Kind != yaml.ScalarNode {
				return nil, &placedError{key.Line, "a key of a mapping is not a scalar"}
			}
			text = append(appendString(text, key.Value), ':')
			var err error
			if text, err = appendJSON(text, node.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return append(text, '}'), nil
	case yaml.SequenceNode:
		text = append(text, '[')
		for i, item := range node.Content {
			if i > 0 {
				text = append(text, ',')
			}
			var err error
			if text, err = appendJSON(text, item); err != nil {
				return nil, err
			}
		}
		return append(text, ']'), nil
	}
	return appendScalar(text, node)
}

func appendScalar(text []byte, node *yaml.Node) ([]byte, error) {
	switch node.ShortTag() {
	case "!!null":
		return append(text, "null"...), nil
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			return append(text, node.Value...), nil
		}
	case "!!bool":
	default: // dates too: Kubernetes has no type for them
		return appendString(text, node.Value), nil
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, &placedError{node.Line, "malformed YAML: " + err.Error()}
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, &placedError{node.Line, fmt.Sprintf("%q has no form in JSON", node.Value)}
	}
	return append(text, encoded...), nil
}

func appendString(text []byte, value string) []byte {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // a string can always be encoded
	return append(text, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// renderJSON writes a tree as JSON, indented as the text that it came from.
func renderJSON(root *yaml.Node, before []byte) ([]byte, error) {
	compact, err := appendJSON(nil, root)
	if err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(before)
	start := bytes.Index(before, body)
	var text bytes.Buffer
	text.Write(before[:start])
	if bytes.IndexByte(body, '\n') < 0 {
		text.Write(compact)
	} else if err := json.Indent(&text, compact, "", indentation(body)); err != nil {
		return nil, err
	}
	text.Write(before[start+len(body):])
	return text.Bytes(), nil
}

// indentation is what the first indented line of a text begins with.
func indentation(text []byte) string {
	for line := range bytes.Lines(text) {
		content := bytes.TrimLeft(line, " \t")
		if len(content) < len(line) && len(bytes.TrimSpace(content)) > 0 {
			return string(line[:len(line)-len(content)])
		}
	}
	return ""
}

// indentJSON indents as kubectl does.
func indentJSON(into *bytes.Buffer, compact []byte) error {
	if err := json.Indent(into, compact, "", "    "); err != nil {
		return err
	}
	return into.WriteByte('\n')
}
