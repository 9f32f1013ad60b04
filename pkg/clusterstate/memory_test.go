package clusterstate

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/test/configmaps"
)

// TestSourcesNeedLittleMemory indexes 100 MB of ConfigMaps, each with one plugin. Only their names and digests may
// remain, because a cache of whole ConfigMaps can exhaust the memory (fact W6).
func TestSourcesNeedLittleMemory(t *testing.T) {
	const configMaps, size, allowed = 1000, 100 << 10, 8 << 20
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // the first one only ran the finalizers
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	sources := &Sources{}
	before := heap()
	for i := range configMaps {
		name := fmt.Sprintf("plugin-%d", i)
		configMap := configmaps.Source("kong", name, name)
		configMap.Data["migrations.init.lua"] = `return { "000_base" }`
		configMap.Data["migrations.000_base.lua"] = strings.Repeat("x", size)
		// As from the API server: decoded strings share no memory with other objects.
		text, err := configMap.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		received := &corev1.ConfigMap{}
		if err := received.Unmarshal(text); err != nil {
			t.Fatal(err)
		}
		sources.put(reducedConfigMap(t, received))
		if len(sources.Releases("kong", name)) != 1 { // this assembles the release, as an admission does
			t.Fatalf("no release of %s", name)
		}
	}
	after := heap()
	t.Logf("%d ConfigMaps of %d bytes: %d bytes of heap before, %d after", configMaps, size, before, after)
	if after > before+allowed {
		t.Errorf("more than %d bytes remain", allowed)
	}
	runtime.KeepAlive(sources)
}
