package policy

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
)

func names(policies []*Policy) string {
	var names []string
	for _, policy := range policies {
		names = append(names, policy.Name)
	}
	return strings.Join(names, " ")
}

// TestIndex proves that a namespace has the policies that select it, sorted,
// whatever was asked before a change.
func TestIndex(t *testing.T) {
	put := func(x *Index, name, team string) {
		of := spec{Library: "l"}
		if team != "" {
			of.NamespaceSelector = labelled("team", team)
		}
		x.Put(compiled(t, name, of))
	}
	for name, test := range map[string]struct {
		change func(x *Index)
		a, b   string // what namespaces of these teams have
		reason string
	}{
		"zero value":        {change: func(*Index) {}, reason: "it is ready"},
		"delete of nothing": {change: func(x *Index) { x.Delete("p") }},
		"everywhere":        {change: func(x *Index) { put(x, "p", "") }, a: "p", b: "p"},
		"selected":          {change: func(x *Index) { put(x, "p", "a") }, a: "p"},
		"sorted":            {change: func(x *Index) { put(x, "r", ""); put(x, "p", "a"); put(x, "q", "") }, a: "p q r", b: "q r"},
		"replaced":          {change: func(x *Index) { put(x, "p", "a"); put(x, "p", "b") }, b: "p", reason: "a policy may select others than before"},
		"deleted":           {change: func(x *Index) { put(x, "p", ""); put(x, "q", ""); x.Delete("p") }, a: "q", b: "q"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, asked := range []bool{false, true} {
				index := &Index{}
				if asked { // what was found before must not stay
					put(index, "before", "")
					index.Of("a", map[string]string{"team": "a"})
					index.Of("b", map[string]string{"team": "b"})
					index.Delete("before")
				}
				test.change(index)
				for range 2 { // the second time it is known
					for team, want := range map[string]string{"a": test.a, "b": test.b} {
						if got := names(index.Of(team, map[string]string{"team": team})); got != want {
							t.Errorf("namespace of team %s has %q, want %q: %s", team, got, want, test.reason)
						}
					}
				}
			}
		})
	}
}

// TestIndexLabels proves that a namespace whose labels change, in either
// direction, has the policies of what they are now; and that what is kept of
// them is no map of the caller's.
func TestIndexLabels(t *testing.T) {
	index := &Index{}
	index.Put(compiled(t, "p", spec{Library: "l", NamespaceSelector: labelled("team", "a")}))
	of := map[string]string{"team": "a", "other": "x"}
	for i, step := range []struct{ change, want string }{{"a", "p"}, {"b", ""}, {"a", "p"}, {"", ""}, {"", ""}, {"a", "p"}} {
		if of["team"] = step.change; step.change == "" {
			delete(of, "team")
		}
		if got := names(index.Of("ns", of)); got != step.want {
			t.Errorf("step %d: with %v it has %q, want %q", i, of, got, step.want)
		}
	}
	if index.Of("ns", nil) != nil || index.Len() != 1 {
		t.Error("a namespace without labels has policies, or there are others than one")
	}
}

// TestIndexForgets proves that what is kept of namespaces is bounded: they come
// and go while policies stay.
func TestIndexForgets(t *testing.T) {
	index := &Index{}
	index.Put(compiled(t, "p", spec{Library: "l"}))
	for i := range 2*mostFound + 1 {
		if got := names(index.Of(fmt.Sprint(i), nil)); got != "p" {
			t.Fatalf("namespace %d has %q", i, got)
		}
	}
	if len(index.found) > mostFound {
		t.Errorf("%d namespaces are kept", len(index.found))
	}
}

// TestIndexConcurrent proves, under the race detector, that an index can be asked
// and changed at once, and that whoever asks sees whole answers.
func TestIndexConcurrent(t *testing.T) {
	index := &Index{}
	index.Put(compiled(t, "always", spec{Library: "l"}))
	changing := compiled(t, "changing", spec{Library: "l", NamespaceSelector: labelled("team", "a")})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range 200 {
				index.Put(changing)
				index.Delete(changing.Name)
			}
		})
		group.Go(func() {
			for j := range 200 {
				of := map[string]string{"team": string(rune('a' + j%2))}
				got := names(index.Of(fmt.Sprint(i%2), of))
				if got != "always" && (got != "always changing" || of["team"] != "a") {
					t.Errorf("team %s has %q", of["team"], got)
				}
				index.Len()
			}
		})
	}
	group.Wait()
}

// TestReadsPodLabels proves when a pod's labels have to be read at all.
func TestReadsPodLabels(t *testing.T) {
	for name, test := range map[string]struct {
		spec   spec
		want   bool
		reason string
	}{
		"plugins for all":  {spec{Plugins: plugins("a")}, false, "labels make no difference"},
		"plugins for some": {spec{Plugins: plugins("a"), PodSelector: labelled("a", "b")}, true, "they do"},
		"nothing for some": {spec{Allowed: []string{"a"}, PodSelector: labelled("a", "b")}, false, "what is allowed is so for every pod"},
	} {
		if got := compiled(t, "p", test.spec).ReadsPodLabels(); got != test.want {
			t.Errorf("%s: %v, want %v: %s", name, got, test.want, test.reason)
		}
	}
}

// BenchmarkNamespace measures what the policies of a namespace cost each of its
// pods, of which one selects it: with 1,000 it must cost what it costs with one.
func BenchmarkNamespace(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			index := &Index{}
			for i := range n {
				index.Put(compiled(b, fmt.Sprintf("p%d", i), spec{
					NamespaceSelector: labelled("team", fmt.Sprint(i)), Plugins: plugins("dao-test@1.1.0"), Allowed: []string{"dao-*"}, Library: "plugins",
				}))
			}
			of := map[string]string{"kubernetes.io/metadata.name": "kong", "team": "0"}
			pod := Pod{Namespace: "kong", IsKong: true}
			request := annotations.Request{Plugins: []annotations.PluginRef{{Name: "dao-test"}}}
			b.ReportAllocs()
			for b.Loop() {
				if outcome, _ := ApplyPolicies(index.Of("kong", of), pod, request); len(outcome.Denials) > 0 || outcome.Request.Plugins[0].Version == "" {
					b.Fatal(outcome)
				}
			}
		})
	}
}
