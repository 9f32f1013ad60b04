package catalog

import (
	"fmt"
	"sync"
	"testing"
)

// TestLookupsDoNotWait checks that lookups and changes in other namespaces go on while the releases of one plugin are
// assembled. A hostile namespace made a lookup in another one take 6 s.
func TestLookupsDoNotWait(t *testing.T) {
	var index Index
	put := func(namespace, name string) {
		source := NewSource(labelledConfigMap(name, "1", completePlugin("x", "")))
		source.Namespace = namespace
		index.Put(source)
	}
	put("hostile", "a")
	put("kong", "a")
	key := pluginKey{"hostile", "p"}
	assembling := index.entries[key].newAssembly(key)
	started, proceed := make(chan struct{}), make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		assembling.once.Do(func() { close(started); <-proceed })
	})
	<-started
	waiting.Go(func() { index.Releases("hostile", "p") }) // it waits
	for i := range 10 {
		put("kong", fmt.Sprint("b", i))
		put("hostile", fmt.Sprint("b", i)) // a changed plugin does not wait either
		if releases := index.Releases("kong", "p"); len(releases) != 1 || len(releases[0].Sources) != i+2 {
			t.Fatalf("found %+v", releases)
		}
	}
	if releases := index.Releases("hostile", "p"); len(releases[0].Sources) != 11 {
		t.Errorf("found %+v", releases[0].Sources)
	}
	close(proceed)
	waiting.Wait()
}

// TestRestore checks that an incomplete source becomes complete again only from the same state of its ConfigMap.
func TestRestore(t *testing.T) {
	complete := NewSource(labelledConfigMap("a", "1", completePlugin("x", "")))
	other := complete
	other.Revision = "1/2"
	for name, test := range map[string]struct {
		put, restore Source
		want         bool
	}{
		"same state":        {complete.WithoutKeys(), complete, true},
		"other state":       {complete.WithoutKeys(), other, false},
		"was not dropped":   {complete, complete, false},
		"is not a source":   {Source{Namespace: "kong", Name: "a"}, complete, false},
		"is another source": {func() Source { s := complete.WithoutKeys(); s.Name = "b"; return s }(), complete, false},
	} {
		var index Index
		index.Put(test.put)
		if before := index.NeedsRestore("kong"); before != test.put.Incomplete {
			t.Errorf("%s: NeedsRestore = %v", name, before)
		}
		if test.put.Incomplete {
			denied := index.Releases("kong", "p")[0].Denials
			want := fmt.Sprintf(`plugin "p@1": ConfigMap %q must be read again, because namespace "kong" was over a limit; `+
				`try again in some seconds`, test.put.Name)
			if denied.Error() != want {
				t.Errorf("%s: denied %v; want %s", name, denied, want)
			}
		}
		if got := index.Restore(test.restore); got != test.want {
			t.Errorf("%s: Restore = %v, want %v", name, got, test.want)
		}
		if test.want && (index.NeedsRestore("kong") || len(index.Releases("kong", "p")[0].Denials) > 0) {
			t.Errorf("%s: not restored", name)
		}
	}
}

// BenchmarkLookup measures a change and a lookup in one namespace, while another namespace is empty, full or hostile. A
// full one has the largest possible plugin. In the hostile one, the sources of this plugin also change all the time,
// and are looked up after each change. This needs a second processor, so only the ratio of the first two is comparable.
func BenchmarkLookup(b *testing.B) {
	for _, other := range []string{"empty", "full", "hostile"} {
		b.Run("other="+other, func(b *testing.B) {
			var index Index
			switch other {
			case "full":
				beHostile(&index)()
			case "hostile":
				defer beHostile(&index)()
			}
			source := NewSource(labelledConfigMap("a", "1", completePlugin("x", "")))
			b.ReportAllocs()
			for b.Loop() {
				index.Put(source)
				index.Releases("kong", "p")
			}
		})
	}
}

// beHostile changes and looks up a large plugin in another namespace, until stop is called.
func beHostile(index *Index) (stop func()) {
	var sources []Source
	for i := range maxPluginSources {
		source := NewSource(labelledConfigMap(fmt.Sprint("a", i), "1", map[string]string{
			"README": "", "migrations.init.lua": numberedList(10),
		}))
		source.Namespace = "hostile"
		sources = append(sources, source)
		index.Put(source)
	}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				index.Put(sources[i%len(sources)])
				index.Releases("hostile", "p")
			}
		}
	})
	return func() { close(done); running.Wait() }
}
