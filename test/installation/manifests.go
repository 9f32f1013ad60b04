package installation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// ProjectRoot returns the root directory of the project.
func ProjectRoot() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func manifestPath(name string) string {
	return filepath.Join(ProjectRoot(), "deploy", "kustomize", "base", name)
}

// readManifest reads the first object of object's kind from a file of deploy/kustomize/base.
func readManifest(name string, object any) error {
	text, err := os.ReadFile(manifestPath(name))
	if err != nil {
		return err
	}
	kind := reflect.TypeOf(object).Elem().Name()
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text))
	for {
		var document json.RawMessage
		if err := documents.Decode(&document); err != nil {
			return fmt.Errorf("find the %s in manifest %s: %w", kind, name, err)
		}
		var meta metav1.TypeMeta
		if err := json.Unmarshal(document, &meta); err != nil {
			return fmt.Errorf("read manifest %s: %w", name, err)
		}
		if meta.Kind == kind {
			return json.Unmarshal(document, object)
		}
	}
}
