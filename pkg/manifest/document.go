package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/yamledit"
)

// Document is one YAML or JSON document of an input.
type Document struct {
	*yamledit.Document
	// objects are the Kubernetes objects in the document: one object, or the items of a list. A document with only
	// comments, or with another value, has none.
	objects []*kubeObject
}

// Read parses a file of manifests. It continues after a malformed document. The error is of type Problems, with one
// problem for each malformed document.
func Read(file string, text []byte) ([]*Document, error) {
	parsed, errs := yamledit.Read(file, text)
	var malformed Problems
	for _, err := range errs {
		malformed = append(malformed, Problem{err.File, err.Line, err.Message + templateHint(text)})
	}
	documents := make([]*Document, len(parsed))
	for i, document := range parsed {
		documents[i] = &Document{Document: document}
		documents[i].objects = findObjects(documents[i])
		malformed = append(malformed, documents[i].malformedObjects()...)
	}
	if len(malformed) > 0 {
		slices.SortStableFunc(malformed, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, malformed
	}
	return documents, nil
}

// templateHint returns text for the end of a message about malformed YAML, if the YAML looks like a template of Helm.
func templateHint(text []byte) string {
	if !bytes.Contains(text, []byte("{{")) {
		return ""
	}
	return "; this looks like a template of Helm that is not rendered: " +
		"helm template NAME CHART | kubectl kongdao inject -f -"
}

// WriteYAML renders the documents of one or more files as one text.
func WriteYAML(documents []*Document) ([]byte, error) {
	edited := make([]*yamledit.Document, len(documents))
	for i, document := range documents {
		edited[i] = document.Document
	}
	return yamledit.Join(edited)
}

// WriteJSON renders all objects of the documents as one List, indented as kubectl does it.
func WriteJSON(documents []*Document) ([]byte, error) {
	list := []byte(`{"apiVersion":"v1","kind":"List","items":[`)
	first := true
	for _, document := range documents {
		for _, object := range document.objects {
			if !first {
				list = append(list, ',')
			}
			first = false
			var err error
			if list, err = yamledit.AppendJSON(list, object.node); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", document.File, object.Line, err)
			}
		}
	}
	list = append(list, "]}"...)
	var text bytes.Buffer
	if err := json.Indent(&text, list, "", "    "); err != nil {
		return nil, err
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}
