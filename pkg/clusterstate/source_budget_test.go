package clusterstate

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/test/configmaps"
)

// largeSource returns a ConfigMap whose keys need about 0.5 MB in the catalog.
func largeSource(name string) *corev1.ConfigMap {
	source := configmaps.Source("kong", name, name)
	source.UID, source.ResourceVersion = types.UID("uid of "+name), "1"
	long := strings.Repeat("x", 240)
	for i := range catalog.MaxKeys - 2 {
		source.Data[fmt.Sprintf("%s%04d", long, i)] = ""
	}
	return source
}

// TestBudgetLimitsMemory receives 200 MB of keys in one namespace, each ConfigMap within its own limit.
func TestBudgetLimitsMemory(t *testing.T) {
	const count, allowed = 400, catalog.MaxNamespaceBytes + 4<<20
	sources, budget := &Sources{}, new(sourceBudget)
	hostile := largeSource("x")
	var cached []any
	before := heapBytes()
	for i := range count {
		hostile.Name = fmt.Sprintf("hostile-%d", i)
		reduced, err := budget.reduceConfigMap(received(t, hostile))
		if err != nil {
			t.Fatal(err)
		}
		cached = append(cached, reduced)
	}
	if after := heapBytes(); after > before+allowed {
		t.Errorf("%d bytes of heap before, %d after; more than %d remain", before, after, allowed)
	}
	for _, reduced := range cached {
		sources.put(reduced)
	}
	if !sources.IsOverLimit("kong") {
		t.Error("the namespace is not over its limit")
	}
	for _, reduced := range cached {
		sources.delete(reduced)
	}
	if len(budget.namespaces) > 0 || sources.IsOverLimit("kong") {
		t.Errorf("after the deletion, the budget still has %v", budget.namespaces)
	}
}

// hostileLua returns sources whose Lua files make the checks keep as much as possible.
func hostileLua() map[string]func(name string) *corev1.ConfigMap {
	fields, modules, names, findings := strings.Builder{}, strings.Builder{}, strings.Builder{}, strings.Builder{}
	for i := range 100 {
		fmt.Fprintf(&fields, "f%d=1,", i)
		fmt.Fprintf(&modules, "require 'm%d%s' ", i, strings.Repeat("x", 250))
	}
	for i := range 1000 {
		fmt.Fprintf(&names, "'%d%s',", i, strings.Repeat("y", 40))
		fmt.Fprintf(&findings, "DROP TABLE t%d; ", i)
	}
	many := func(key, content string) func(name string) *corev1.ConfigMap {
		return func(name string) *corev1.ConfigMap {
			source := configmaps.Source("kong", name, name)
			source.UID, source.ResourceVersion = types.UID("uid of "+name), "1"
			for i, size := 0, 0; i < catalog.MaxKeys-2 && size < 200<<10; i, size = i+1, size+len(content) {
				source.Data[fmt.Sprintf(key, i)] = content
			}
			return source
		}
	}
	return map[string]func(name string) *corev1.ConfigMap{
		"fields":   many("a%d.lua", "return {"+fields.String()+"}"),
		"modules":  many("a%d.lua", modules.String()),
		"names":    many("x%d.init.lua", "return {"+names.String()+"}"),
		"findings": many("migrations.a%d.lua", "return { postgres = { up = [["+findings.String()+"]] } }"),
	}
}

// TestBudgetCountsSummaries checks that the bytes that count include what the checks keep of hostile Lua files.
func TestBudgetCountsSummaries(t *testing.T) {
	const count, notCounted = 8, 1 << 19
	for name, hostile := range hostileLua() {
		t.Run(name, func(t *testing.T) {
			budget := new(sourceBudget)
			var cached []any
			before := heapBytes()
			for i := range count {
				reduced, err := budget.reduceConfigMap(received(t, hostile(fmt.Sprint("hostile-", i))))
				if err != nil {
					t.Fatal(err)
				}
				cached = append(cached, reduced)
			}
			kept := int64(heapBytes() - before) //nolint:gosec // the difference of two heap sizes fits
			runtime.KeepAlive(cached)
			counted := 0
			if namespace := budget.namespaces["kong"]; namespace != nil {
				counted = namespace.bytes
			}
			if kept > int64(counted+notCounted) {
				t.Errorf("%d sources keep %d bytes of heap, but only %d bytes count", count, kept, counted)
			}
			t.Logf("%d sources keep %d bytes of heap, and %d bytes count", count, kept, counted)
		})
	}
}

// TestBudgetCountsOnce checks that a ConfigMap counts once, regardless of how often the informer handles it.
func TestBudgetCountsOnce(t *testing.T) {
	for name, test := range map[string]struct {
		happen func(budget *sourceBudget, source catalog.Source)
		kept   bool
		reason string
	}{
		"decoded": {func(b *sourceBudget, s catalog.Source) { b.spend("1", s) }, true, ""},
		"decoded twice": {func(b *sourceBudget, s catalog.Source) { b.spend("1", s); b.spend("1", s) }, true,
			"the informer lists again"},
		"deleted": {func(b *sourceBudget, s catalog.Source) { b.spend("1", s); b.release("1", s) }, false, ""},
		"deleted twice": {func(b *sourceBudget, s catalog.Source) { b.spend("1", s); b.release("1", s); b.release("1", s) },
			false, ""},
		"created again": {func(b *sourceBudget, s catalog.Source) { b.spend("1", s); b.spend("2", s); b.release("1", s) },
			true, "the new ConfigMap is decoded before the old one is deleted from the cache"},
		"no keys": {func(b *sourceBudget, s catalog.Source) {
			b.spend("1", s)
			s.Keys = nil
			b.spend("1", s)
		}, false, "the ConfigMap is no longer a source, or is over a limit"},
	} {
		budget := &sourceBudget{}
		source := catalog.NewSource(largeSource("a"))
		test.happen(budget, source)
		want := 0
		if test.kept {
			want = source.Bytes
		}
		got := 0
		if namespace := budget.namespaces["kong"]; namespace != nil {
			got = namespace.bytes
		}
		if got != want {
			t.Errorf("%s: %d bytes count, want %d: %s", name, got, want, test.reason)
		}
	}
}

// fakeConfigMaps reads one page of ConfigMaps, unless it fails.
type fakeConfigMaps struct {
	client.Reader
	configMaps []*corev1.ConfigMap
	fails      atomic.Bool
}

func (f *fakeConfigMaps) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if f.fails.Load() {
		return errors.New("no answer")
	}
	page := list.(*corev1.ConfigMapList)
	page.Items = nil
	for _, configMap := range f.configMaps {
		page.Items = append(page.Items, *configMap)
	}
	return nil
}

// TestRestoreSources deletes sources from a namespace that was over its limit. Sources that had lost their keys are
// read again, also after an error, and the plugin's subscribers hear of it.
func TestRestoreSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sources, budget := &Sources{}, new(sourceBudget)
		live := &fakeConfigMaps{}
		live.fails.Store(true)
		var cached []any
		for i := range 17 {
			source := largeSource(fmt.Sprintf("p-%02d", i))
			reduced, err := budget.reduceConfigMap(source)
			if err != nil {
				t.Fatal(err)
			}
			if i > 1 { // the first two are deleted below
				live.configMaps = append(live.configMaps, source)
			}
			cached = append(cached, reduced)
			sources.put(reduced)
		}
		var notified sync.Map
		isNotified := func(plugin string) bool { _, found := notified.Load(plugin); return found }
		defer sources.SubscribeToPlugins(func(plugin types.NamespacedName) { notified.Store(plugin.Name, true) })()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = SourceRestorer{Sources: sources, Live: live, Log: logr.Discard()}.Start(ctx) }()
		deny := func(want string) {
			t.Helper()
			synctest.Wait()
			if denials := sources.Releases("kong", "p-16")[0].Denials; len(denials) != 1 ||
				!strings.Contains(denials.Error(), want) {
				t.Errorf("denied: %v; want %s", denials, want)
			}
		}
		deny("bytes of memory, but the limit is 8388608")
		sources.delete(cached[0])
		sources.delete(cached[1])
		deny("must be read again")
		if !isNotified("p-05") || !isNotified("p-16") {
			t.Error("not all plugins know that the namespace is within its limits again")
		}
		notified.Clear()
		live.fails.Store(false)
		<-time.After(2 * restoreRetryInterval)
		synctest.Wait()
		if denials := sources.Releases("kong", "p-16")[0].Denials; len(denials) > 0 || !isNotified("p-16") {
			t.Errorf("still denied: %v", denials)
		}
		request := annotations.PluginRef{Name: "p-16"}
		requests := []annotations.PluginRef{request}
		if chosen, denials := catalog.Resolve("kong", requests, func(plugin string) []*catalog.Release {
			return sources.Releases("kong", plugin)
		}); len(chosen) != 1 {
			t.Errorf("not found: %v", denials)
		}
	})
}
