package yamledit

import "go.yaml.in/yaml/v3"

// booleans are the words that are booleans in YAML 1.1, and strings in YAML 1.2. kubectl and Helm read YAML 1.1.
var booleans = map[string]string{
	"y": "true", "Y": "true", "yes": "true", "Yes": "true", "YES": "true", "on": "true", "On": "true", "ON": "true",
	"n": "false", "N": "false", "no": "false", "No": "false", "NO": "false", "off": "false", "Off": "false",
	"OFF": "false",
}

// resolveBooleans makes values without quotes booleans, as kubectl does. Their lines stay as they are.
func resolveBooleans(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.Style == 0 && node.ShortTag() == "!!str" && booleans[node.Value] != "" {
		node.Tag, node.Value = "!!bool", booleans[node.Value]
	}
	for i, child := range node.Content {
		if node.Kind != yaml.MappingNode || i%2 == 1 { // not a key
			resolveBooleans(child)
		}
	}
}
