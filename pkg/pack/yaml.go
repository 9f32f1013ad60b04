package pack

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
)

// YAML writes ConfigMaps as readable documents, with files as literal blocks. Equal ConfigMaps give equal bytes.
//
// It does not use a YAML encoder, because an encoder quotes a whole file for one space at the end of a line.
func YAML(configMaps []corev1.ConfigMap) []byte {
	var text bytes.Buffer
	for i := range configMaps {
		writeConfigMap(&text, &configMaps[i])
	}
	return text.Bytes()
}

func writeConfigMap(text *bytes.Buffer, configMap *corev1.ConfigMap) {
	text.WriteString("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n")
	text.WriteString("  name: " + scalar(configMap.Name) + "\n")
	if configMap.Namespace != "" {
		text.WriteString("  namespace: " + scalar(configMap.Namespace) + "\n")
	}
	writeMap(text, "  ", "labels", configMap.Labels)
	writeMap(text, "  ", "annotations", configMap.Annotations)
	if configMap.Immutable != nil && *configMap.Immutable {
		text.WriteString("immutable: true\n")
	}
	writeMap(text, "", "data", configMap.Data)
	encoded := make(map[string]string, len(configMap.BinaryData))
	for key, content := range configMap.BinaryData {
		encoded[key] = base64.StdEncoding.EncodeToString(content)
	}
	writeMap(text, "", "binaryData", encoded)
}

func writeMap(text *bytes.Buffer, indent, name string, members map[string]string) {
	if len(members) == 0 {
		return
	}
	text.WriteString(indent + name + ":\n")
	for _, key := range slices.Sorted(maps.Keys(members)) {
		text.WriteString(indent + "  " + scalar(key) + ": ")
		writeValue(text, indent+"    ", members[key])
	}
}

// writeValue writes a string as a literal block if a literal block can hold it. Some tools drop blank lines at the end
// of a block, which would change the digest. So text with such lines is quoted.
func writeValue(text *bytes.Buffer, indent, value string) {
	if !strings.Contains(value, "\n") || !isLiteral(value) {
		text.WriteString(scalar(value) + "\n")
		return
	}
	header := "|"
	if strings.ContainsRune(" \t\n", rune(value[0])) {
		header += "2" // the first line does not show the indentation of the block
	}
	if !strings.HasSuffix(value, "\n") {
		header += "-"
	}
	text.WriteString(header + "\n")
	for line := range strings.Lines(value) {
		if line != "\n" {
			text.WriteString(indent)
		}
		text.WriteString(line)
	}
	if !strings.HasSuffix(value, "\n") {
		text.WriteString("\n")
	}
}

// isLiteral reports whether a literal block can hold the text. A literal block has no escapes, and YAML has more line
// breaks than \n.
func isLiteral(value string) bool {
	if strings.Trim(value, "\n") == "" || strings.HasSuffix(value, "\n\n") {
		return false
	}
	for _, c := range value {
		printable := c == '\n' || c == '\t' || c >= ' ' && c <= '~' || c >= 0xa0 && c <= 0xfffd || c >= 0x10000
		if !printable || c == 0x2028 || c == 0x2029 || c == 0xfeff {
			return false
		}
	}
	return true
}

// scalar writes a string in one line. It quotes a string that a parser, also of YAML 1.1, would read as another value.
func scalar(value string) string {
	var toEncode any = value // the encoder knows when to quote a plain string
	if strings.Contains(value, "\n") {
		toEncode = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle}
	}
	text, err := yaml.Marshal(toEncode)
	if err != nil {
		panic(err) // a string can always be marshalled
	}
	return strings.TrimSuffix(string(text), "\n")
}
