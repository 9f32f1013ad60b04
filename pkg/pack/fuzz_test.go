package pack

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/catalog"
)

// FuzzPack holds what packing promises: whatever is not denied reads back as
// the folder, byte for byte, out of ConfigMaps that Kubernetes takes and out of
// the YAML that people see.
func FuzzPack(f *testing.F) {
	f.Add("lib/a.lua", []byte("return {}\n"), "data/x.json", []byte("{}"), false, false)
	f.Fuzz(func(t *testing.T, path string, content []byte, other string, otherContent []byte, flat, mutable bool) {
		files := plugin(nil)
		files[path], files[other] = content, otherContent
		packed, denied := Pack("dao_test", files, Options{Namespace: "kong", Flat: flat, Mutable: mutable})
		if len(denied) > 0 {
			if len(packed.ConfigMaps) > 0 {
				t.Fatal("denied, and packed all the same")
			}
			return
		}
		kept, _ := selectFiles(files)
		written := readYAML(t, YAML(packed.ConfigMaps))
		if diff := cmp.Diff(packed.ConfigMaps, written); diff != "" {
			t.Fatalf("the YAML reads as something else (-packed +read):\n%s", diff)
		}
		checkFolder(t, written, packed.Digest, kept)
		for i := range written {
			checkConfigMap(t, &written[i], mutable)
		}
	})
}

// readYAML reads documents as kubectl does.
func readYAML(t *testing.T, text []byte) []corev1.ConfigMap {
	t.Helper()
	var configMaps []corev1.ConfigMap
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var configMap corev1.ConfigMap
		if err := yaml.UnmarshalStrict(document, &configMap); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		configMaps = append(configMaps, configMap)
	}
	return configMaps
}

func checkFolder(t *testing.T, configMaps []corev1.ConfigMap, digest string, want map[string][]byte) {
	t.Helper()
	byName := map[string]*corev1.ConfigMap{}
	var sources []catalog.Source
	for i := range configMaps {
		byName[configMaps[i].Name] = &configMaps[i]
		sources = append(sources, catalog.NewSource(&configMaps[i]))
	}
	releases := catalog.Assemble("dao_test", sources)
	if len(releases) != 1 || len(releases[0].Denials) > 0 {
		t.Fatalf("the catalog makes %d releases of it: %+v", len(releases), releases)
	}
	got := map[string][]byte{}
	for _, file := range releases[0].Files {
		source := byName[file.Source]
		content, binary := source.BinaryData[file.Key]
		if !binary {
			content = []byte(source.Data[file.Key])
		}
		if sha256.Sum256(content) != file.Digest {
			t.Errorf("file %q: content and digest differ", file.Path)
		}
		got[file.Path] = content
	}
	if !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("read back: %q\npacked: %q", got, want)
	}
	if releases[0].Digest != digest {
		t.Errorf("digest %s, packed as %s", releases[0].Digest, digest)
	}
}

// checkConfigMap holds a ConfigMap against what the API server demands.
func checkConfigMap(t *testing.T, configMap *corev1.ConfigMap, mutable bool) {
	t.Helper()
	wrong := validation.IsDNS1123Subdomain(configMap.Name)
	size := 0
	for key, value := range configMap.Data {
		wrong = append(wrong, validation.IsConfigMapKey(key)...)
		size += len(key) + len(value)
	}
	for key, value := range configMap.BinaryData {
		wrong = append(wrong, validation.IsConfigMapKey(key)...)
		size += len(key) + len(value)
	}
	for name, value := range configMap.Labels {
		wrong = append(append(wrong, validation.IsQualifiedName(name)...), validation.IsValidLabelValue(value)...)
	}
	if size > Budget {
		wrong = append(wrong, "more than the budget")
	}
	if immutable := configMap.Immutable != nil && *configMap.Immutable; immutable == mutable {
		wrong = append(wrong, "immutable is wrong")
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		t.Errorf("ConfigMap %q: %v", configMap.Name, wrong)
	}
}

func TestWriteValue(t *testing.T) {
	cases := map[string]struct{ reason, value, want string }{
		"text":             {"lines stand as lines", "a\n  b\n\nc\n", "|\n  a\n    b\n\n  c\n"},
		"open end":         {"no newline is added", "a\nb", "|-\n  a\n  b\n"},
		"blank end":        {"none is lost", "a\n\n\n", "|+\n  a\n\n\n"},
		"leading space":    {"the first line does not show the indentation", "  a\nb\n", "|2\n    a\n  b\n"},
		"leading blank":    {"nor does a blank one", "\n a\n", "|2\n\n   a\n"},
		"leading tab":      {"nor a tab, which parsers deny there", "\ta\n", "|2\n  \ta\n"},
		"trailing space":   {"an encoder would quote all of it", "a \n\tb\t\n", "|\n  a \n  \tb\t\n"},
		"carriage returns": {"a literal block would lose them", "a\r\n", `"a\r\n"` + "\n"},
		"only newlines":    {"nothing shows where they end", "\n\n", `"\n\n"` + "\n"},
		"one line":         {"stays one", "a: b", "'a: b'\n"},
		"empty":            {"is a string all the same", "", `""` + "\n"},
		"word":             {"an older parser takes it for a boolean", "on", `"on"` + "\n"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			writeValue(&text, "  ", test.value)
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}
