package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
)

// webhookTimeout is how long the API server waits for the webhook. If the webhook is slower, the pod is denied.
const webhookTimeout = 5 * time.Second

// wantDenied fails the test unless a pod is denied in time, with a message of limited length that has these parts.
func wantDenied(t *testing.T, namespace, plugins string, parts ...string) {
	t.Helper()
	start := time.Now()
	err := webhook.Admin.Create(t.Context(), pod(namespace, "kong", plugins), client.DryRunAll)
	if err == nil {
		t.Fatal("the pod was admitted")
	}
	if duration := time.Since(start); duration > webhookTimeout {
		t.Errorf("the pod was denied after %v", duration)
	}
	wantText(t, err.Error(), append(parts, `admission webhook "pods.kongdao.io" denied the request`)...)
	if len(err.Error()) > 16<<10 {
		t.Errorf("the denial has %d bytes", len(err.Error()))
	}
}

// TestLargeAnnotations checks that the largest annotations are answered in time and with a short message.
func TestLargeAnnotations(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	const size = 65000 // the webhook reads up to 64 KiB
	list := func(form string) string {
		var text strings.Builder
		for i := 0; text.Len() < size; i++ {
			fmt.Fprintf(&text, form, i)
		}
		return strings.TrimSuffix(text.String(), ",")
	}
	for name, test := range map[string]struct{ plugins, part string }{
		"200 KiB":            {strings.Repeat("x", 200<<10), "annotation kongdao.io/plugins: the value has 204800 bytes"},
		"one name":           {strings.Repeat("x", size), fmt.Sprintf("(%d bytes) is invalid; use 1 to 63 letters", size)},
		"commas":             {strings.Repeat(",", size), fmt.Sprintf("and %d more", size+1-50)},
		"dots":               {list("a.%d,"), " more"},
		"unknown names":      {list("p%d,"), " more"},
		"long unknown names": {list(strings.Repeat("p", 56) + "%d,"), " more"},
		"one name often":     {strings.TrimSuffix(strings.Repeat("nope,", size/5), ","), `plugin "nope": no ConfigMap`},
		"versions":           {list("nope@%d,"), " more"},
	} {
		t.Run(name, func(t *testing.T) { wantDenied(t, ns, test.plugins, test.part) })
	}
}

// TestThousandPlugins checks that a pod can have a thousand plugins, and that the denial is short if they do not exist.
func TestThousandPlugins(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	const count = 1000
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("plugin-%d", i)
	}
	all := strings.Join(names, ",")
	wantDenied(t, ns, all, `plugin "plugin-0": no ConfigMap in namespace`, "and 950 more")
	err := cluster.InParallel(4, count,
		func(i int) error { return webhook.Admin.Create(t.Context(), source(ns, names[i])) })
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	// The cache may not have the last sources yet. Then the webhook reads the API server.
	admitted := pod(ns, "kong", all)
	shared.Create(t, admitted)
	t.Logf("%d plugins in %v", count, time.Since(start).Round(time.Millisecond))
	for _, name := range names {
		if err := checkContainer(admitted, admitted.Spec.Containers[0], name); err != nil {
			t.Fatal(err)
		}
	}
	wantDenied(t, ns, all+",one-more", `plugin "one-more": no ConfigMap in namespace`)
}
