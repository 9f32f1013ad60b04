package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/webhookserver"
	"kongdao.io/kongdao/test/configmaps"
)

// TestLiveReads checks when the API server is read: once before a denial of the catalog, and only for the plugins that
// the cache lacks.
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
		"known": {reason: "what the cache has is not read again", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{good()}},
		"no request": {reason: "a pod that requests nothing costs nothing", pod: kongPod("")},
		"malformed":  {reason: "no source can fix the annotation", pod: kongPod("dao.test"), message: "contains a dot"},
		"no Kong": {
			reason: "no source can fix the pod", message: "container", cache: []*corev1.ConfigMap{good()},
			pod: []byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},"spec":{"containers":[{"name":"web",` +
				`"image":"nginx"}]}}`),
		},
		"newer than the cache": {
			reason: "a ConfigMap and its pod can be created at the same time", pod: kongPod("dao-test"),
			live: []*corev1.ConfigMap{good()}, reads: 1, wantSelector: "kongdao.io/plugin in (dao-test)",
		},
		"unknown": {
			reason: "neither the cache nor the API server has the plugin", pod: kongPod("dao-test,other"),
			live:  []*corev1.ConfigMap{good()},
			reads: 1, message: `plugin "other": no ConfigMap`, wantSelector: "kongdao.io/plugin in (dao-test,other)",
		},
		"one of two is unknown": {
			reason: "only the plugin that the cache lacks is read", pod: kongPod("dao-test,other"),
			cache: []*corev1.ConfigMap{good()}, reads: 1, message: `plugin "other": no ConfigMap`,
			wantSelector: "kongdao.io/plugin in (other)",
		},
		"one of two is newer": {
			reason: "sources of the cache and of the API server are combined", pod: kongPod("dao-test,other"),
			cache: []*corev1.ConfigMap{good()}, live: []*corev1.ConfigMap{configmaps.Source("kong", "c", "other")}, reads: 1,
			wantSelector: "kongdao.io/plugin in (other)",
		},
		"unknown version": {
			reason: "the cache does not have this version yet", pod: kongPod("dao-test@2"), cache: []*corev1.ConfigMap{good()},
			live: []*corev1.ConfigMap{configmaps.Versioned(good(), "2")}, reads: 1,
		},
		"stale conflict": {
			reason: "one of the conflicting sources was deleted", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{good(), conflicting()}, live: []*corev1.ConfigMap{good()}, reads: 1,
		},
		"stale broken plugin": {
			reason: "the missing file was added", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{broken()}, live: []*corev1.ConfigMap{good()}, reads: 1,
		},
		"stale denial": {
			reason: "the message describes the current sources", pod: kongPod("dao-test"),
			cache: []*corev1.ConfigMap{good(), conflicting()}, live: []*corev1.ConfigMap{broken()}, reads: 1,
			message: "no schema.lua",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, live := cached(test.cache...), &fakeReader{configMaps: test.live}
			cluster.Live = live
			got := newHarness(t, cluster).post(t, podReviewOf(t, test.pod, "kong"))
			if got.response.Allowed != (test.message == "") || !strings.Contains(got.message(), test.message) {
				t.Errorf("%s: got %s", test.reason, got.body)
			}
			if len(live.lists) != test.reads {
				t.Fatalf("%s: %d reads of the API server, want %d", test.reason, len(live.lists), test.reads)
			}
			for _, list := range live.lists {
				if list.Namespace != "kong" || list.Limit != 10 || list.Continue != "" {
					t.Errorf("the read has options %+v", list)
				}
				if selector := list.LabelSelector.String(); test.wantSelector != "" && selector != test.wantSelector {
					t.Errorf("got selector %q, want %q", selector, test.wantSelector)
				}
			}
		})
	}
}

// TestFailedLiveReadIsNotADenial checks that the failurePolicy decides if the API server cannot be read. The API server
// applies it only if the HTTP status is not 200 (fact W2).
func TestFailedLiveReadIsNotADenial(t *testing.T) {
	for name, test := range map[string]struct {
		fail    func(context.Context) error
		message string
	}{
		"error": {func(context.Context) error { return errors.New("etcd is away") },
			`read the ConfigMaps labelled kongdao.io/plugin in namespace "kong": etcd is away`},
		"panic": {func(context.Context) error { panic("unexpected") }, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			live := &fakeReader{fail: test.fail, configMaps: []*corev1.ConfigMap{configmaps.Source("kong", "a", "dao-test")}}
			h := newHarness(t, uncached(live))
			got := h.post(t, podReviewOf(t, kongPod("dao-test"), "kong"))
			if got.status != http.StatusInternalServerError || !strings.Contains(got.message(), test.message) {
				t.Errorf("got status %d and %s", got.status, got.body)
			}
			if len(h.events.events) > 0 {
				t.Errorf("an Event reports a denial: %+v", h.events.events)
			}
			live.fail = nil
			if next := h.post(t, podReviewOf(t, kongPod("dao-test"), "kong")); !next.response.Allowed ||
				len(next.response.Patch) == 0 {
				t.Errorf("the next request fails: %s", next.body)
			}
		})
	}
}

// TestLiveReadDuringShutdown checks that a webhook that shuts down still answers. A shutdown cancels the contexts of
// all requests.
func TestLiveReadDuringShutdown(t *testing.T) {
	live := &fakeReader{
		configMaps: []*corev1.ConfigMap{configmaps.Source("kong", "a", "dao-test")},
		fail:       func(ctx context.Context) error { return ctx.Err() },
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	request := newRequest(podReviewOf(t, kongPod("dao-test"), "kong")).WithContext(ctx)
	if got := serve(t, newHarness(t, uncached(live)).pods, request); !got.response.Allowed ||
		len(got.response.Patch) == 0 {
		t.Errorf("got status %d and %s", got.status, got.body)
	}
}

// TestLiveReadTimeout checks that the read of an API server that does not answer ends before the API server stops to
// wait for the webhook, for each timeoutSeconds.
func TestLiveReadTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		// configured is timeoutSeconds of the webhook, and query what the API server sends.
		configured time.Duration
		query      string
		want       time.Duration
	}{
		"default":            {5 * time.Second, "?timeout=5s", 3 * time.Second},
		"shortest":           {time.Second, "?timeout=1s", 600 * time.Millisecond},
		"longest":            {30 * time.Second, "?timeout=30s", 18 * time.Second},
		"shorter than known": {5 * time.Second, "?timeout=2s", 1200 * time.Millisecond},
		"longer than known":  {5 * time.Second, "?timeout=30s", 3 * time.Second},
		"no query":           {2 * time.Second, "", 1200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			var deadline, began time.Time
			live := &fakeReader{fail: func(ctx context.Context) error {
				deadline, _ = ctx.Deadline()
				return errors.New("etcd is away")
			}}
			h := newHarness(t, uncached(live))
			server := webhookserver.New(webhookserver.Options{RequestTimeout: test.configured, MaxConnections: 10})
			server.Register("/mutate/pods", http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
				began = time.Now()
				h.pods.ServeHTTP(writer, request)
			}))
			url, client := serveTLS(t, server)
			body := podReviewOf(t, kongPod("dao-test"), "kong")
			response, err := client.Post(url+"/mutate/pods"+test.query, "application/json", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if got := deadline.Sub(began); got > test.want || got < test.want-time.Second/2 {
				t.Errorf("the read can take %v, want %v", got, test.want)
			}
		})
	}
}

// TestLiveReadOfALateRequest checks how long a read can take if the request took long to arrive.
func TestLiveReadOfALateRequest(t *testing.T) {
	began := time.Now()
	for elapsed, want := range map[time.Duration]time.Duration{
		0: 3 * time.Second, 2 * time.Second: 3 * time.Second, 3 * time.Second: 4 * time.Second,
		4 * time.Second: 4500 * time.Millisecond, 6 * time.Second: 4500 * time.Millisecond,
	} {
		if got := liveReadDeadline(began, began.Add(elapsed), 5*time.Second).Sub(began); got != want {
			t.Errorf("a read after %v ends after %v, want %v", elapsed, got, want)
		}
	}
}

// serveTLS serves with a test certificate.
func serveTLS(t *testing.T, server *webhookserver.Server) (url string, client *http.Client) {
	t.Helper()
	certificate := httptest.NewTLSServer(nil)
	t.Cleanup(certificate.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx, listener, certificate.TLS) }()
	t.Cleanup(func() {
		certificate.Client().CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "https://" + listener.Addr().String(), certificate.Client()
}

// TestLiveReadWithoutAnswer checks the answer to an admission if the API server does not answer a read.
func TestLiveReadWithoutAnswer(t *testing.T) {
	for name, clusterOf := range map[string]func(client.Reader) *Cluster{
		"sources": uncached,
		"namespaces": func(live client.Reader) *Cluster {
			cluster := cached(configmaps.Source("kong", "a", "dao-test"))
			cluster.Policies = &clusterstate.NamespacePolicies{
				Index:      policyIndex(t, 1, "dao-test"),
				Namespaces: &clusterstate.Namespaces{Cached: emptyCache{}, Live: LiveReader{live}},
			}
			return cluster
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				live := &fakeReader{fail: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
				h := newHarness(t, clusterOf(live))
				start := time.Now()
				got := h.post(t, podReviewOf(t, kongPod("dao-test"), "kong"))
				if duration := time.Since(start); duration != 3*time.Second {
					t.Errorf("the read ended after %v", duration)
				}
				if got.status != http.StatusInternalServerError || !strings.Contains(got.message(), "deadline exceeded") {
					t.Errorf("got status %d and %s", got.status, got.body)
				}
			})
		})
	}
}

// emptyCache is a cache without namespaces.
type emptyCache struct{ client.Reader }

func (emptyCache) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
}

// TestNoLiveReadOverLimits checks that pods in a namespace over its limits are denied without a read: it would find too
// much.
func TestNoLiveReadOverLimits(t *testing.T) {
	const hostile = 5001
	var sources []*corev1.ConfigMap
	for i := range hostile {
		name := fmt.Sprintf("plugin-%d", i)
		sources = append(sources, configmaps.Source("kong", name, name))
	}
	h := newHarness(t, cached(sources...))
	got := h.post(t, podReviewOf(t, kongPod("plugin-1"), "kong"))
	if got.response.Allowed || !strings.Contains(string(got.body), "has 5001 ConfigMaps") {
		t.Errorf("got %s; want a denial that names the limit", got.body)
	}
}
