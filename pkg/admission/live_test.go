package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/configmaps"
)

// kongPod is a small pod that asks for plugins.
func kongPod(plugins string) []byte {
	return fmt.Appendf(nil, `{"metadata":{"name":"kong","annotations":{%q:%q}},"spec":{"containers":[{"name":"proxy","image":"kong:3.9"}]}}`,
		annotations.Plugins, plugins)
}

// TestLiveReads proves when the cluster is read beside the cache: where the
// catalog denies, once, and only for what the pod asks for in its namespace.
func TestLiveReads(t *testing.T) {
	good := func() *corev1.ConfigMap { return configmaps.Source("kong", "a", "dao-test") }
	broken := func() *corev1.ConfigMap {
		source := good()
		delete(source.Data, "schema.lua")
		return source
	}
	conflicting := func() *corev1.ConfigMap {
		source := configmaps.Source("kong", "b", "dao-test")
		source.Data["handler.lua"] = "return nil"
		return source
	}
	for name, test := range map[string]struct {
		reason       string
		pod          []byte
		cache, live  []*corev1.ConfigMap
		reads        int
		message      string
		wantSelector string
	}{
		"known":     {reason: "what the cache has is not read again", pod: kongPod("dao-test"), cache: []*corev1.ConfigMap{good()}},
		"unasked":   {reason: "a pod that asks for nothing costs nothing", pod: kongPod("")},
		"malformed": {reason: "no source could mend the annotation", pod: kongPod("dao.test"), message: "contains a dot"},
		"no Kong": {
			reason: "no source could mend the pod", message: "container", cache: []*corev1.ConfigMap{good()},
			pod: []byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},"spec":{"containers":[{"name":"web","image":"nginx"}]}}`),
		},
		"younger than the cache": {
			reason: "a ConfigMap and its pod may be made in the same instant", pod: kongPod("dao-test"),
			live: []*corev1.ConfigMap{good()}, reads: 1, wantSelector: "kongdao.io/plugin in (dao-test)",
		},
		"unknown": {
			reason: "what neither has is denied", pod: kongPod("dao-test,other"), live: []*corev1.ConfigMap{good()},
			reads: 1, message: `plugin "other": no ConfigMap`, wantSelector: "kongdao.io/plugin in (dao-test,other)",
		},
		"one of many is lacking": {
			reason: "of a thousand plugins only what the cache lacks is read, within the time that there is", pod: kongPod("dao-test,other"),
			cache: []*corev1.ConfigMap{good()}, reads: 1, message: `plugin "other": no ConfigMap`, wantSelector: "kongdao.io/plugin in (other)",
		},
		"one of many is younger": {
			reason: "what the cache has and what the cluster has make one decision", pod: kongPod("dao-test,other"),
			cache: []*corev1.ConfigMap{good()}, live: []*corev1.ConfigMap{configmaps.Source("kong", "c", "other")}, reads: 1, wantSelector: "kongdao.io/plugin in (other)",
		},
		"unknown version": {
			reason: "a version that the cache has not seen", pod: kongPod("dao-test@2"), cache: []*corev1.ConfigMap{good()},
			live: []*corev1.ConfigMap{configmaps.Versioned(good(), "2")}, reads: 1,
		},
		"stale conflict": {
			reason: "one of two that conflicted is gone", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{good(), conflicting()}, live: []*corev1.ConfigMap{good()}, reads: 1,
		},
		"stale ambiguity": {
			reason: "the older version is gone", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{configmaps.Versioned(good(), "1"), configmaps.Versioned(conflicting(), "2")},
			live:  []*corev1.ConfigMap{configmaps.Versioned(conflicting(), "2")}, reads: 1,
		},
		"stale breakage": {
			reason: "the missing file is there now", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{broken()}, live: []*corev1.ConfigMap{good()}, reads: 1,
		},
		"worse than the cache knows": {
			reason: "what is denied is denied for what there is now", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{good(), conflicting()}, live: []*corev1.ConfigMap{broken()}, reads: 1, message: "no schema.lua",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sources, live := cached(test.cache...), &reader{configMaps: test.live}
			sources.Live = live
			got := newHarness(t, sources).post(t, podReviewOf(t, test.pod, "kong"))
			if got.response.Allowed != (test.message == "") || !strings.Contains(got.message(), test.message) {
				t.Errorf("%s: got %s", test.reason, got.body)
			}
			if len(live.lists) != test.reads {
				t.Fatalf("%s: the cluster was read %d times and not %d", test.reason, len(live.lists), test.reads)
			}
			for _, list := range live.lists {
				if list.Namespace != "kong" || list.Limit != 10 || list.Continue != "" {
					t.Errorf("read was %+v", list)
				}
				if selector := list.LabelSelector.String(); test.wantSelector != "" && selector != test.wantSelector {
					t.Errorf("selected %q and not %q", selector, test.wantSelector)
				}
			}
		})
	}
}

// TestLiveFails proves that a cluster that cannot be read decides nothing: the
// webhook's failurePolicy does, which the API server goes by only where the
// HTTP status is no 200 (W2).
func TestLiveFails(t *testing.T) {
	for name, test := range map[string]struct {
		fail    func(context.Context) error
		message string
	}{
		"error": {func(context.Context) error { return errors.New("etcd is away") },
			`read the ConfigMaps labelled kongdao.io/plugin in namespace "kong": etcd is away`},
		"panic": {func(context.Context) error { panic("nobody expected this") }, "please report it"},
	} {
		t.Run(name, func(t *testing.T) {
			live := &reader{fail: test.fail, configMaps: []*corev1.ConfigMap{configmaps.Source("kong", "a", "dao-test")}}
			h := newHarness(t, uncached(live))
			got := h.post(t, podReviewOf(t, kongPod("dao-test"), "kong"))
			if got.status != http.StatusInternalServerError || !strings.Contains(got.message(), test.message) {
				t.Errorf("got status %d and %s", got.status, got.body)
			}
			if len(h.events.events) > 0 {
				t.Errorf("an Event tells of a denial that is none: %+v", h.events.events)
			}
			live.fail = nil
			if again := h.post(t, podReviewOf(t, kongPod("dao-test"), "kong")); !again.response.Allowed || len(again.response.Patch) == 0 {
				t.Errorf("the next request is not served: %s", again.body)
			}
		})
	}
}

// TestLiveStopping proves that an admission in flight is answered although the
// webhook is told to stop, which ends the context of every request.
func TestLiveStopping(t *testing.T) {
	live := &reader{
		configMaps: []*corev1.ConfigMap{configmaps.Source("kong", "a", "dao-test")},
		fail:       func(ctx context.Context) error { return ctx.Err() },
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	request := newRequest(podReviewOf(t, kongPod("dao-test"), "kong")).WithContext(ctx)
	if got := serve(t, newHarness(t, uncached(live)).pods, request); !got.response.Allowed || len(got.response.Patch) == 0 {
		t.Errorf("got status %d and %s", got.status, got.body)
	}
}

// TestLiveTimeLimit proves that a cluster which does not answer is given up
// on before the API server gives up on the webhook.
func TestLiveTimeLimit(t *testing.T) {
	const apiServerWaits = 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		live := &reader{fail: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		h := newHarness(t, uncached(live))
		began := time.Now()
		got := h.post(t, podReviewOf(t, kongPod("dao-test"), "kong"))
		if took := time.Since(began); took != liveReadTimeout || took >= apiServerWaits {
			t.Errorf("gave up after %v", took)
		}
		if got.status != http.StatusInternalServerError || !strings.Contains(got.message(), "deadline exceeded") {
			t.Errorf("got status %d and %s", got.status, got.body)
		}
	})
}
