package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/pack"
	"kongdao.io/kongdao/test/cluster"
)

// packParts packs a plugin with an error into several ConfigMaps.
func packParts(t *testing.T, ns string, options pack.Options) []corev1.ConfigMap {
	t.Helper()
	options.Namespace = ns
	packed, denials := pack.Pack("parts", map[string][]byte{
		"handler.lua":         []byte(`return { PRIORITY = 1, VERSION = "1.0.0" }`),
		"schema.lua":          []byte(`return { name = "parts", fields = {} }`),
		"migrations/init.lua": []byte(`return { "000_gone" }`),
		"a.lua":               []byte("--" + strings.Repeat("a", 600<<10)),
		"b.lua":               []byte("--" + strings.Repeat("b", 600<<10)),
	}, options)
	if len(denials) > 0 || len(packed.ConfigMaps) != 2 {
		t.Fatalf("%d ConfigMaps, denials %v", len(packed.ConfigMaps), denials)
	}
	return packed.ConfigMaps
}

// TestWrittenSources proves that the API server rejects a release on which Kong fails for sure, as soon as it is
// complete: the parts can be created in any order. With the annotation kongdao.io/force, it accepts the release.
func TestWrittenSources(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]int{"first part first": {0, 1}, "second part first": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := shared.CreateNamespace(t)
			parts := packParts(t, ns, pack.Options{Force: true})
			for i := range parts {
				delete(parts[i].Annotations, annotations.Force)
			}
			if err := webhook.Admin.Create(t.Context(), parts[order[0]].DeepCopy()); err != nil {
				t.Fatalf("the first part is rejected: %v", err)
			}
			cluster.Eventually(t, func(ctx context.Context) error {
				last := parts[order[1]].DeepCopy()
				err := webhook.Admin.Create(ctx, last)
				if err == nil { // the cache does not have the first part yet
					return errors.Join(errors.New("the last part is accepted"), webhook.Admin.Delete(ctx, last))
				}
				const want = `the list names the migration "000_gone", which has no file`
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
					return fmt.Errorf("the last part: %w", err)
				}
				return nil
			})
			forced := packParts(t, ns, pack.Options{Force: true})
			if err := webhook.Admin.Create(t.Context(), &forced[order[1]]); err != nil {
				t.Errorf("a forced ConfigMap is rejected: %v", err)
			}
			shared.Create(t, pod(ns, "forced", "parts"))
		})
	}
}
