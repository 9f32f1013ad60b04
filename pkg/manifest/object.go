package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Object is a Kubernetes object in a document.
type Object struct {
	APIVersion, Kind string
	// Namespace is "" where the object names none.
	Name, Namespace string
	// Line is where the object starts in its file, from 1.
	Line int

	document *Document
	// pointer is the JSON pointer of the object in the document.
	pointer string
	node    *yaml.Node
}

// problem is text, said of the object where it stands.
func (o *Object) problem(text string) Problem { return Problem{o.document.File, o.Line, text} }

// findObjects finds the object that a document is, or the items of a list.
func (d *Document) findObjects() error {
	d.Objects = appendObjects(nil, d, d.root, "", "", "")
	for _, object := range d.Objects {
		for _, name := range []string{"apiVersion", "kind"} {
			if value := member(object.node, name); value != nil && value.Kind != yaml.ScalarNode {
				return &placedError{value.Line, "malformed object: " + name + " is not a string"}
			}
		}
	}
	return nil
}

// appendObjects goes down into lists. An item of a typed list, as a PodList,
// may leave its own kind out.
func appendObjects(objects []*Object, document *Document, node *yaml.Node, pointer, apiVersion, kind string) []*Object {
	if node == nil || node.Kind != yaml.MappingNode {
		return objects
	}
	if own := text(member(node, "apiVersion")); own != "" {
		apiVersion = own
	}
	if own := text(member(node, "kind")); own != "" {
		kind = own
	}
	if items := member(node, "items"); items != nil && items.Kind == yaml.SequenceNode && strings.HasSuffix(kind, "List") {
		for i, item := range items.Content {
			objects = appendObjects(objects, document, item, pointer+"/items/"+strconv.Itoa(i), apiVersion, strings.TrimSuffix(kind, "List"))
		}
		return objects
	}
	metadata := member(node, "metadata")
	return append(objects, &Object{
		APIVersion: apiVersion, Kind: kind,
		Name: text(member(metadata, "name")), Namespace: text(member(metadata, "namespace")),
		Line: node.Line, document: document, pointer: pointer, node: node,
	})
}

// member yields the value of a mapping's key, nil where there is none.
func member(node *yaml.Node, name string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name && node.Content[i].Kind == yaml.ScalarNode {
			return node.Content[i+1]
		}
	}
	return nil
}

// text is the value of a string, "" for anything else.
func text(node *yaml.Node) string {
	if node == nil || node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		return ""
	}
	return node.Value
}

// pod says where in an object of this kind the pod or pod template is ("" for
// the object itself), and whether the webhook carries the object's own
// annotations there. It reports false for kinds that make no pods.
func (o *Object) pod() (pointer string, carries, ok bool) {
	group, _, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		group = ""
	}
	switch group + "/" + o.Kind {
	case "/Pod":
		return "", false, true
	case "/PodTemplate":
		return "/template", false, true
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet":
		return "/spec/template", true, true
	case "apps/ReplicaSet", "/ReplicationController", "batch/Job":
		return "/spec/template", false, true
	case "batch/CronJob":
		return "/spec/jobTemplate/spec/template", false, true
	}
	return "", false, false
}

// isConfigMap reports whether the object can be a source.
func (o *Object) isConfigMap() bool { return o.APIVersion == "v1" && o.Kind == "ConfigMap" }

// at yields the node at a JSON pointer below the object, nil where there is none.
func (o *Object) at(pointer string) *yaml.Node {
	node := o.node
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if name != "" {
			node = member(node, name)
		}
	}
	return node
}
