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
	sources := &Sources{}
	before := heapBytes()
	for i := range configMaps {
		name := fmt.Sprintf("plugin-%d", i)
		configMap := configmaps.Source("kong", name, name)
		configMap.Data["migrations.init.lua"] = `return { "000_base" }`
		configMap.Data["migrations.000_base.lua"] = strings.Repeat("x", size)
		sources.put(reducedConfigMap(t, received(t, configMap)))
		if len(sources.Releases("kong", name)) != 1 { // this assembles the release, as an admission does
			t.Fatalf("no release of %s", name)
		}
	}
	after := heapBytes()
	t.Logf("%d ConfigMaps of %d bytes: %d bytes of heap before, %d after", configMaps, size, before, after)
	if after > before+allowed {
		t.Errorf("more than %d bytes remain", allowed)
	}
	runtime.KeepAlive(sources)
}

// TestHostileConfigMapsNeedLittleMemory receives 80 ConfigMaps with 60,000 empty keys each. The API server accepts them
// (fact P7). They took the webhook from 41 to 557 MB.
func TestHostileConfigMapsNeedLittleMemory(t *testing.T) {
	const configMaps, keys, allowed = 80, 60_000, 1 << 20
	hostile := configmaps.Source("kong", "", "dao-test")
	for i := range keys {
		hostile.Data[fmt.Sprintf("k%d", i)] = ""
	}
	sources := &Sources{}
	var cached []any
	before := heapBytes()
	for i := range configMaps {
		hostile.Name = fmt.Sprintf("hostile-%d", i)
		cached = append(cached, reducedConfigMap(t, received(t, hostile)))
		sources.put(cached[i])
	}
	denials := sources.Releases("kong", "dao-test")[0].Denials
	if len(denials) != 1 || !strings.Contains(denials.Error(), "has 60002 keys, but the limit is 1000") {
		t.Errorf("denials %q; want one that names the limit", denials.Error())
	}
	after := heapBytes()
	t.Logf("%d ConfigMaps with %d keys: %d bytes of heap before, %d after", configMaps, keys, before, after)
	if after > before+allowed {
		t.Errorf("more than %d bytes remain", allowed)
	}
	runtime.KeepAlive(hostile)
	runtime.KeepAlive(cached)
	runtime.KeepAlive(sources)
}

// heapBytes returns the bytes in use.
func heapBytes() uint64 {
	runtime.GC()
	runtime.GC() // the first one only ran the finalizers
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// received returns a ConfigMap as from the API server: decoded strings share no memory with other objects.
func received(t *testing.T, configMap *corev1.ConfigMap) *corev1.ConfigMap {
	t.Helper()
	text, err := configMap.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	decoded := &corev1.ConfigMap{}
	if err := decoded.Unmarshal(text); err != nil {
		t.Fatal(err)
	}
	return decoded
}
