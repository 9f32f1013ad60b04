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

func forTeam(team string, of spec) spec {
	of.NamespaceSelector = labelled("team", team)
	return of
}

// TestIndex proves that Of returns the policies that select a namespace, sorted, also if it was called before a change.
func TestIndex(t *testing.T) {
	everywhere := spec{Library: "l"}
	teamA, teamB := forTeam("a", everywhere), forTeam("b", everywhere)
	type put struct {
		name string
		spec spec
	}
	for name, test := range map[string]struct {
		puts    []put
		deleted string
		// teamA and teamB are the policies of their namespaces.
		teamA, teamB string
	}{
		"empty":                 {},
		"delete what is absent": {deleted: "p"},
		"all namespaces":        {puts: []put{{"p", everywhere}}, teamA: "p", teamB: "p"},
		"one namespace":         {puts: []put{{"p", teamA}}, teamA: "p"},
		"sorted": {
			puts:  []put{{"r", everywhere}, {"p", teamA}, {"q", everywhere}},
			teamA: "p q r", teamB: "q r",
		},
		"replaced": {puts: []put{{"p", teamA}, {"p", teamB}}, teamB: "p"},
		"deleted":  {puts: []put{{"p", everywhere}, {"q", everywhere}}, deleted: "p", teamA: "q", teamB: "q"},
	} {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cached %v", name, cached), func(t *testing.T) {
				index := &Index{}
				if cached {
					index.Put(compiled(t, "before", everywhere))
					index.Of("a", map[string]string{"team": "a"})
					index.Of("b", map[string]string{"team": "b"})
					index.Delete("before")
				}
				for _, put := range test.puts {
					index.Put(compiled(t, put.name, put.spec))
				}
				index.Delete(test.deleted)
				for range 2 { // the second result comes from the cache
					for team, want := range map[string]string{"a": test.teamA, "b": test.teamB} {
						if got := names(index.Of(team, map[string]string{"team": team})); got != want {
							t.Errorf("the namespace of team %s has policies %q, want %q", team, got, want)
						}
					}
				}
			})
		}
	}
}

// TestIndexLabels proves that a namespace has the policies for its current labels, and that the index keeps a copy of
// the caller's map.
func TestIndexLabels(t *testing.T) {
	index := &Index{}
	index.Put(compiled(t, "p", forTeam("a", spec{Library: "l"})))
	labels := map[string]string{"other": "x"}
	for i, step := range []struct{ team, want string }{{"a", "p"}, {"b", ""}, {"a", "p"}, {"", ""}, {"", ""}, {"a", "p"}} {
		if labels["team"] = step.team; step.team == "" {
			delete(labels, "team")
		}
		if got := names(index.Of("ns", labels)); got != step.want {
			t.Errorf("step %d: labels %v select policies %q, want %q", i, labels, got, step.want)
		}
	}
	if got := index.Of("ns", nil); got != nil {
		t.Errorf("a namespace without labels has policies %q", names(got))
	}
	if index.Len() != 1 {
		t.Errorf("the index has %d policies, want 1", index.Len())
	}
}

// TestIndexCacheLimit proves that the cache does not grow with every namespace that ever existed.
func TestIndexCacheLimit(t *testing.T) {
	index := &Index{}
	index.Put(compiled(t, "p", spec{Library: "l"}))
	for i := range 2*maxCachedNamespaces + 1 {
		if got := names(index.Of(fmt.Sprint(i), nil)); got != "p" {
			t.Fatalf("namespace %d has policies %q", i, got)
		}
	}
	if len(index.cache) > maxCachedNamespaces {
		t.Errorf("%d namespaces are cached", len(index.cache))
	}
}

// TestIndexConcurrent proves, with the race detector, that reads and changes may overlap. Each read sees a valid state.
func TestIndexConcurrent(t *testing.T) {
	index := &Index{}
	index.Put(compiled(t, "always", spec{Library: "l"}))
	changing := compiled(t, "changing", forTeam("a", spec{Library: "l"}))
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
				team := string(rune('a' + j%2))
				got := names(index.Of(fmt.Sprint(i%2), map[string]string{"team": team}))
				if got != "always" && (got != "always changing" || team != "a") {
					t.Errorf("team %s has policies %q", team, got)
				}
				index.Len()
			}
		})
	}
	group.Wait()
}

// BenchmarkNamespace measures the cost of policies for a pod if one policy selects its namespace. With 1,000 policies
// it must cost the same as with one.
func BenchmarkNamespace(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			index := &Index{}
			for i := range n {
				index.Put(compiled(b, fmt.Sprintf("p%d", i), forTeam(fmt.Sprint(i), spec{
					Plugins: plugins("dao-test@1.1.0"), Allowed: []string{"dao-*"}, Library: "plugins",
				})))
			}
			labels := map[string]string{"kubernetes.io/metadata.name": "kong", "team": "0"}
			pod := Pod{Namespace: "kong", IsKong: true}
			request := annotations.Request{Plugins: []annotations.PluginRef{{Name: "dao-test"}}}
			b.ReportAllocs()
			for b.Loop() {
				outcome, _ := ApplyPolicies(index.Of("kong", labels), pod, request)
				if len(outcome.Denials) > 0 || outcome.Request.Plugins[0].Version == "" {
					b.Fatal(outcome)
				}
			}
		})
	}
}
