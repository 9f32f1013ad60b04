package mutate_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// manyPlugins returns n plugins with migrations, and an annotation that requests all of them.
func manyPlugins(n int) (index *catalog.Index, request string) {
	var names []string
	var sources []*corev1.ConfigMap
	for i := range n {
		name := fmt.Sprintf("plugin-%d", i)
		names = append(names, name)
		sources = append(sources, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: goldens.Namespace, Name: name, Labels: map[string]string{annotations.Plugin: name},
			},
			Immutable: new(true),
			Data: map[string]string{
				"handler.lua": "return {}", "schema.lua": "return { fields = {} }", "daos.lua": "return {}",
				"migrations.init.lua":     `return { "000_base" }`,
				"migrations.000_base.lua": `return { postgres = { up = "SELECT 1" } }`,
			},
		})
	}
	return goldens.Catalog(sources), strings.Join(names, ",")
}

// BenchmarkInjection measures the decision about a pod like those of Kong's chart, with and without the decoding of its
// JSON. 1,000 plugins must not cost more than 1,000 times what one plugin adds.
func BenchmarkInjection(b *testing.B) {
	text := chartPod(b)
	for _, n := range []int{1, 1000} {
		index, request := manyPlugins(n)
		admit := func(b *testing.B, pod mutate.Pod) {
			b.Helper()
			pod.Annotations = map[string]string{annotations.Plugins: request}
			if decision := goldens.Admit(b, goldens.Namespace, pod, index); len(decision.Patch) == 0 {
				b.Fatal(decision.Denials)
			}
		}
		b.Run(fmt.Sprintf("plugins=%d/decode+admit", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				admit(b, decode(b, text))
			}
		})
		b.Run(fmt.Sprintf("plugins=%d/admit", n), func(b *testing.B) {
			b.ReportAllocs()
			pod := decode(b, text)
			for b.Loop() {
				admit(b, pod)
			}
		})
	}
}
