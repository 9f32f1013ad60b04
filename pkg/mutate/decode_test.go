package mutate_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"
	sigsjson "sigs.k8s.io/json"

	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// TestDecodePodErrors proves that what is no pod is said to be none, with its place.
func TestDecodePodErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":             {``, "EOF"},
		"a list":              {`[]`, `at "": found [ instead of an object`},
		"two pods":            {`{}{}`, "unexpected text after"},
		"labels":              {`{"metadata":{"labels":[]}}`, `at "/metadata/labels": found [ instead of an object`},
		"annotation":          {`{"metadata":{"annotations":{"kongdao.io/plugins":1}}}`, `at "/metadata/annotations/kongdao.io~1plugins": found number instead of a string`},
		"containers":          {`{"spec":{"containers":{}}}`, `at "/spec/containers": found { instead of an array`},
		"container":           {`{"spec":{"containers":[1]}}`, `at "/spec/containers/0": found number instead of an object`},
		"variable":            {`{"spec":{"containers":[{"env":[{"name":"KONG_PLUGINS","value":true}]}]}}`, `at "/spec/containers/0/env/0/value": found true instead of a string`},
		"volume of ours":      {`{"spec":{"volumes":[{"name":"kongdao-x","projected":{"sources":7}}]}}`, `volume "kongdao-x"`},
		"cut in the middle":   {`{"spec":{"containers":[`, "EOF"},
		"something behind it": {`{} x`, "unexpected text after"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mutate.DecodePod([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s gives %v; want an error with %q", test.text, err, test.want)
			}
		})
	}
}

// FuzzDecide proves that no JSON makes the core panic, and that for every JSON
// that is a pod the patch applies, and leaves a pod with nothing more to inject.
func FuzzDecide(f *testing.F) {
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
		decision := goldens.Admit(t, goldens.Namespace, pod, index)
		if len(decision.Patch) == 0 {
			return
		}
		injected := goldens.Apply(t, text, decision.Patch)
		if !isPod(injected) {
			t.Fatalf("the injected pod is none: %s", injected)
		}
		again := goldens.Admit(t, goldens.Namespace, decode(t, injected), index)
		if len(again.Patch) > 0 || len(again.Denials) > 0 {
			t.Errorf("injecting the result again is not nothing: %s %v", marshal(t, again.Patch), again.Denials)
		}
	})
}

// isPod reports whether the text decodes strictly into a pod, and is JSON as an
// API server writes it: in UTF-8, which Kubernetes' decoder does not insist on.
func isPod(text []byte) bool {
	strict, err := sigsjson.UnmarshalStrict(text, &corev1.Pod{})
	return err == nil && len(strict) == 0 && jsontext.Value(text).IsValid()
}
