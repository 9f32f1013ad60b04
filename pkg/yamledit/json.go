package yamledit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseJSON parses a JSON text, which starts at a line of its file. The YAML parser cannot do it, because it does not
// support surrogate pairs such as \ud83d\ude00.
func parseJSON(text []byte, line int) (*yaml.Node, error) {
	if !json.Valid(text) { // also limits the depth
		return nil, fmt.Errorf("the text is not JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	reader := jsonReader{decoder: decoder, text: text, line: line}
	return reader.value()
}

// jsonReader counts the lines that it has read.
type jsonReader struct {
	decoder *json.Decoder
	text    []byte
	line    int
	// counted is the offset up to which lines are counted.
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
		return node, r.content(node)
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

// content reads the keys, values or items up to the closing bracket.
func (r *jsonReader) content(node *yaml.Node) error {
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

// AppendJSON appends a tree without aliases as compact JSON. It keeps the order of keys, and it converts scalars as
// Kubernetes does: a date, for example, becomes a string.
func AppendJSON(text []byte, node *yaml.Node) ([]byte, error) {
	step, brackets := 1, "[]"
	switch node.Kind {
	case yaml.MappingNode:
		step, brackets = 2, "{}"
	case yaml.SequenceNode:
	default:
		return appendScalar(text, node)
	}
	text = append(text, brackets[0])
	for i := 0; i+step <= len(node.Content); i += step {
		if i > 0 {
			text = append(text, ',')
		}
		if step == 2 {
			key := node.Content[i]
			if key.Kind != yaml.ScalarNode {
				return nil, &Error{Line: key.Line, Message: "a key is a mapping or a list; use a string"}
			}
			text = append(appendString(text, key.Value), ':')
		}
		var err error
		if text, err = AppendJSON(text, node.Content[i+step-1]); err != nil {
			return nil, err
		}
	}
	return append(text, brackets[1]), nil
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
	default:
		return appendString(text, node.Value), nil
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, &Error{Line: node.Line, Message: "malformed YAML: " + err.Error()}
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, &Error{Line: node.Line, Message: fmt.Sprintf("JSON has no number %q; use a finite one", node.Value)}
	}
	return append(text, encoded...), nil
}

func appendString(text []byte, value string) []byte {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // encoding a string cannot fail
	return append(text, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// renderJSON encodes a tree with the indentation and the outer white space of the original text.
func renderJSON(root *yaml.Node, original []byte) ([]byte, error) {
	compact, err := AppendJSON(nil, root)
	if err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(original)
	start := bytes.Index(original, body)
	var text bytes.Buffer
	text.Write(original[:start])
	if bytes.IndexByte(body, '\n') < 0 {
		text.Write(compact)
	} else if err := json.Indent(&text, compact, "", indentation(body)); err != nil {
		return nil, err
	}
	text.Write(original[start+len(body):])
	return text.Bytes(), nil
}

// indentation returns the white space at the start of the first indented line.
func indentation(text []byte) string {
	for line := range bytes.Lines(text) {
		content := bytes.TrimLeft(line, " \t")
		if len(content) < len(line) && len(bytes.TrimSpace(content)) > 0 {
			return string(line[:len(line)-len(content)])
		}
	}
	return ""
}
