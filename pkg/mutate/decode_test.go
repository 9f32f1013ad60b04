package mutate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"
	sigsjson "sigs.k8s.io/json"

	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// TestDecodePodErrors proves that JSON which is not a pod is an error that names the place.
func TestDecodePodErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":            {``, "EOF"},
		"list":             {`[]`, `at "": found [ instead of an object`},
		"two pods":         {`{}{}`, "unexpected text after the JSON value"},
		"text after it":    {`{} x`, "unexpected text after the JSON value"},
		"incomplete":       {`{"spec":{"containers":[`, "EOF"},
		"labels":           {`{"metadata":{"labels":[]}}`, `at "/metadata/labels": found [ instead of an object`},
		"containers":       {`{"spec":{"containers":{}}}`, `at "/spec/containers": found { instead of an array`},
		"container":        {`{"spec":{"containers":[1]}}`, `at "/spec/containers/0": found number instead of an object`},
		"kongdao's volume": {`{"spec":{"volumes":[{"name":"kongdao-x","projected":{"sources":7}}]}}`, `volume "kongdao-x"`},
		"annotation": {
			`{"metadata":{"annotations":{"kongdao.io/plugins":1}}}`,
			`at "/metadata/annotations/kongdao.io~1plugins": found number instead of a string`,
		},
		"variable": {
			`{"spec":{"containers":[{"env":[{"name":"KONG_PLUGINS","value":true}]}]}}`,
			`at "/spec/containers/0/env/0/value": found true instead of a string`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mutate.DecodePod([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s gives error %v; want one with %q", test.text, err, test.want)
			}
		})
	}
}

// TestDecodeGates proves what the view has of scheduling gates and the node.
func TestDecodeGates(t *testing.T) {
	gates := []string{"a/b", "kongdao.io/migrations", "c/d"}
	for text, want := range map[string]mutate.Pod{
		`{"spec":{}}`:                                   {},
		`{"spec":{"nodeName":""}}`:                      {},
		`{"spec":{"nodeName":"a"}}`:                     {HasNode: true},
		`{"spec":{"schedulingGates":[]}}`:               {},
		`{"spec":{"schedulingGates":[{"name":"a/b"}]}}`: {Gates: gates[:1]},
		`{"spec":{"schedulingGates":[{"name":"a/b"},{"name":"kongdao.io/migrations"},{"name":"c/d"}]}}`: {Gates: gates},
	} {
		if got := decode(t, []byte(text)); got.HasNode != want.HasNode || !slices.Equal(got.Gates, want.Gates) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// FuzzInjection proves that no JSON causes a panic. It also proves that each pod is decoded, that the patch results in
// a pod, and that a second injection changes nothing.
func FuzzInjection(f *testing.F) {
	index := goldens.Catalog(goldens.ConfigMaps(f, casesFolder+"/sources.yaml"))
	for _, c := range goldens.Cases(f, casesFolder) {
		f.Add(c.Pod)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pod, err := mutate.DecodePod(text)
		if !isPod(text) {
			if err == nil {
				goldens.Admit(t, goldens.Namespace, pod, index)
			}
			return
		}
		if err != nil {
			t.Fatalf("a pod is not decoded: %v", err)
		}
		first := goldens.Admit(t, goldens.Namespace, pod, index)
		if len(first.Patch) == 0 {
			return
		}
		injected := goldens.Apply(t, text, first.Patch)
		if !isPod(injected) {
			t.Fatalf("the result is not a pod: %s", injected)
		}
		checkUnchanged(t, goldens.Admit(t, goldens.Namespace, decode(t, injected), index))
	})
}

// isPod reports whether the text is a pod as an API server writes it: without unknown fields, and in UTF-8, which
// Kubernetes' decoder does not check.
func isPod(text []byte) bool {
	unknown, err := sigsjson.UnmarshalStrict(text, &corev1.Pod{})
	return err == nil && len(unknown) == 0 && jsontext.Value(text).IsValid()
}
