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

// FuzzPack checks that a packed directory reads back byte for byte, from ConfigMaps that Kubernetes accepts and from
// their YAML.
func FuzzPack(f *testing.F) {
	f.Add("lib/a.lua", []byte("return {}\n"), "data/x.json", []byte("{}"), false, false)
	f.Fuzz(func(t *testing.T, path string, content []byte, other string, otherContent []byte, flat, mutable bool) {
		files := plugin(nil)
		files[path], files[other] = content, otherContent
		packed, denied := Pack("dao_test", files, Options{Namespace: "kong", Flat: flat, Mutable: mutable})
		if len(denied) > 0 {
			if len(packed.ConfigMaps) > 0 {
				t.Fatal("Pack returned ConfigMaps with denials")
			}
			return
		}
		excluding := packer{plugin: "dao_test", files: files}
		excluding.excludeFiles(files)
		written := readYAML(t, YAML(packed.ConfigMaps))
		if diff := cmp.Diff(packed.ConfigMaps, written); diff != "" {
			t.Fatalf("the YAML reads as other ConfigMaps (-packed +read):\n%s", diff)
		}
		checkFolder(t, written, packed.Digest, excluding.files)
		for i := range written {
			checkConfigMap(t, &written[i], mutable)
		}
	})
}

// readYAML reads YAML documents as kubectl does.
func readYAML(t *testing.T, text []byte) []corev1.ConfigMap {
	t.Helper()
	var configMaps []corev1.ConfigMap
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var configMap corev1.ConfigMap
		if err := yaml.UnmarshalStrict(document, &configMap); err != nil {
			t.Fatalf("read the YAML document: %v\n%s", err, document)
		}
		configMaps = append(configMaps, configMap)
	}
	return configMaps
}

// checkFolder checks that the catalog reads the packed files from the ConfigMaps.
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
		t.Fatalf("the catalog assembles %d releases: %+v; want one without denials", len(releases), releases)
	}
	got := map[string][]byte{}
	for _, file := range releases[0].Files {
		source := byName[file.Source]
		content, binary := source.BinaryData[file.Key]
		if !binary {
			content = []byte(source.Data[file.Key])
		}
		if sha256.Sum256(content) != file.Digest {
			t.Errorf("file %q: the digest does not match the content", file.Path)
		}
		got[file.Path] = content
	}
	if !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("the catalog reads the files %q\nwant %q", got, want)
	}
	if releases[0].Digest != digest {
		t.Errorf("digest = %s; want %s, as packed", releases[0].Digest, digest)
	}
}

// checkConfigMap checks a ConfigMap as the API server does.
func checkConfigMap(t *testing.T, configMap *corev1.ConfigMap, mutable bool) {
	t.Helper()
	problems := validation.IsDNS1123Subdomain(configMap.Name)
	size := 0
	for key, value := range configMap.Data {
		problems = append(problems, validation.IsConfigMapKey(key)...)
		size += len(key) + len(value)
	}
	for key, value := range configMap.BinaryData {
		problems = append(problems, validation.IsConfigMapKey(key)...)
		size += len(key) + len(value)
	}
	for name, value := range configMap.Labels {
		problems = append(append(problems, validation.IsQualifiedName(name)...), validation.IsValidLabelValue(value)...)
	}
	if size > maxConfigMapBytes {
		problems = append(problems, "the data is too large")
	}
	if immutable := configMap.Immutable != nil && *configMap.Immutable; immutable == mutable {
		problems = append(problems, "the field immutable is wrong")
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		t.Errorf("ConfigMap %q: %v", configMap.Name, problems)
	}
}

func TestWriteValue(t *testing.T) {
	cases := map[string]struct{ reason, value, want string }{
		"text":             {"each line is a line", "a\n  b\n\nc\n", "|\n  a\n    b\n\n  c\n"},
		"no newline":       {"no newline is added", "a\nb", "|-\n  a\n  b\n"},
		"blank at end":     {"some tools drop blank lines at the end of a block", "a\n\n\n", `"a\n\n\n"` + "\n"},
		"leading space":    {"the first line does not show the indentation", "  a\nb\n", "|2\n    a\n  b\n"},
		"leading blank":    {"a blank first line does not show the indentation", "\n a\n", "|2\n\n   a\n"},
		"leading tab":      {"a tab is not valid indentation", "\ta\n", "|2\n  \ta\n"},
		"trailing space":   {"an encoder would quote the whole text", "a \n\tb\t\n", "|\n  a \n  \tb\t\n"},
		"carriage returns": {"a literal block would lose them", "a\r\n", `"a\r\n"` + "\n"},
		"only newlines":    {"a literal block does not show where they end", "\n\n", `"\n\n"` + "\n"},
		"one line":         {"one line stays one line", "a: b", "'a: b'\n"},
		"empty":            {"an empty value is a string", "", `""` + "\n"},
		"word":             {"YAML 1.1 reads it as a boolean", "on", `"on"` + "\n"},
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
