package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/yamledit"
)

// kubeObject is a Kubernetes object in a document.
type kubeObject struct {
	APIVersion, Kind string
	// Namespace is "" if the object has no namespace in the file.
	Name, Namespace string
	// Line is the first line of the object in its file, from 1.
	Line int

	document *Document
	// pointer is the JSON pointer from the root of the document to the object.
	pointer string
	node    *yaml.Node
}

// findObjects returns the object of a document, or the items of its list.
func findObjects(document *Document) []*kubeObject {
	return appendObjects(nil, &kubeObject{document: document, node: document.Root()})
}

// appendObjects appends an object, or the items of a list instead. An item of a typed list such as a PodList can omit
// its API version and kind.
func appendObjects(objects []*kubeObject, object *kubeObject) []*kubeObject {
	node := object.node
	if node == nil || node.Kind != yaml.MappingNode {
		return objects
	}
	if apiVersion := scalar(yamledit.Member(node, "apiVersion")); apiVersion != "" {
		object.APIVersion = apiVersion
	}
	if kind := scalar(yamledit.Member(node, "kind")); kind != "" {
		object.Kind = kind
	}
	if field, itemKind, isList := object.list(); isList {
		for i, item := range yamledit.Member(node, field).Content {
			objects = appendObjects(objects, &kubeObject{
				APIVersion: object.APIVersion, Kind: itemKind,
				document: object.document, pointer: object.pointer + "/" + field + "/" + strconv.Itoa(i), node: item,
			})
		}
		return objects
	}
	metadata := yamledit.Member(node, "metadata")
	object.Name = scalar(yamledit.Member(metadata, "name"))
	object.Namespace = scalar(yamledit.Member(metadata, "namespace"))
	object.Line = node.Line
	return append(objects, object)
}

// list returns the field with the items of a list, and the kind of items that name none. A Template of OpenShift is a
// list too.
func (o *kubeObject) list() (field, itemKind string, isList bool) {
	itemKind, isList = strings.CutSuffix(o.Kind, "List")
	field = "items"
	if o.Kind == "Template" && strings.HasPrefix(o.APIVersion, "template.openshift.io/") {
		field, itemKind, isList = "objects", "", true
	}
	items := yamledit.Member(o.node, field)
	return field, itemKind, isList && items != nil && items.Kind == yaml.SequenceNode
}

// malformedObjects returns a problem for an object whose API version or kind is not a scalar.
func (d *Document) malformedObjects() Problems {
	for _, object := range d.objects {
		for _, name := range []string{"apiVersion", "kind"} {
			if value := yamledit.Member(object.node, name); value != nil && value.Kind != yaml.ScalarNode {
				return Problems{{d.File, value.Line, "malformed object: " + name + " is not a string"}}
			}
		}
	}
	return nil
}

// scalar returns the value of a scalar, and "" for null and for collections.
func scalar(node *yaml.Node) string {
	if node == nil || node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		return ""
	}
	return node.Value
}

// at returns the node at a JSON pointer below the object, or nil. The pointer has no escaped characters.
func (o *kubeObject) at(pointer string) *yaml.Node {
	node := o.node
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if name != "" {
			node = yamledit.Member(node, name)
		}
	}
	return node
}

// problem returns a problem at the object's first line.
func (o *kubeObject) problem(format string, args ...any) Problem {
	return Problem{o.document.File, o.Line, fmt.Sprintf(format, args...)}
}

// clusterScopedLabel names an object that has no namespace in messages: PluginPolicy "dao-test".
func (o *kubeObject) clusterScopedLabel() string {
	return fmt.Sprintf("%s %s", o.Kind, denial.Quote(o.Name))
}

func (o *kubeObject) isConfigMap() bool { return o.APIVersion == "v1" && o.Kind == "ConfigMap" }

func (o *kubeObject) isNamespace() bool { return o.APIVersion == "v1" && o.Kind == "Namespace" }

func (o *kubeObject) isPolicy() bool {
	return o.APIVersion == v1alpha1.GroupVersion().String() && o.Kind == "PluginPolicy"
}

// podLocation says where a kind of object has its pod or pod template.
type podLocation struct {
	// pointer is the JSON pointer from the object. It is "" for a Pod.
	pointer string
	// propagates is true if the webhook copies the object's annotations to the pod template.
	propagates bool
}

// podLocation returns false for a kind without pods.
func (o *kubeObject) podLocation() (podLocation, bool) {
	group, _, hasGroup := strings.Cut(o.APIVersion, "/")
	if !hasGroup {
		group = ""
	}
	switch group + "/" + o.Kind {
	case "/Pod":
		return podLocation{}, true
	case "/PodTemplate":
		return podLocation{pointer: "/template"}, true
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "extensions/Deployment", "extensions/DaemonSet":
		return podLocation{pointer: "/spec/template", propagates: true}, true
	case "apps/ReplicaSet", "/ReplicationController", "batch/Job", "extensions/ReplicaSet":
		return podLocation{pointer: "/spec/template"}, true
	case "batch/CronJob":
		return podLocation{pointer: "/spec/jobTemplate/spec/template"}, true
	}
	return podLocation{}, false
}
