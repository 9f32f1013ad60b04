package admission

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestMemory proves that a gigabyte of plugins costs a few megabytes: 100 MB
// of ConfigMaps, each a plugin of its own, leave their names and digests (W6).
func TestMemory(t *testing.T) {
	const configMaps, size, allowed = 1000, 100 << 10, 8 << 20
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what the first one finalized
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	sources := &Sources{}
	before := heap()
	for i := range configMaps {
		name := fmt.Sprintf("plugin-%d", i)
		configMap := sourceOf("kong", name, name)
		configMap.Data["migrations.init.lua"] = `return { "000_base" }`
		configMap.Data["migrations.000_base.lua"] = strings.Repeat("x", size)
		// As it comes from the API server: strings of its own.
		text, err := configMap.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		received := &corev1.ConfigMap{}
		if err := received.Unmarshal(text); err != nil {
			t.Fatal(err)
		}
		sources.put(reduceOf(t, received))
		if len(sources.index.Releases("kong", name)) != 1 { // assembled, as a pod would have it
			t.Fatalf("no release of %s", name)
		}
	}
	after := heap()
	t.Logf("%d ConfigMaps of %d bytes: %d bytes of heap before, %d after", configMaps, size, before, after)
	if after > before+allowed {
		t.Errorf("more than %d bytes are kept", allowed)
	}
	runtime.KeepAlive(sources)
}
