package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// webhookTimeout is how long the API server waits for us: who is slower is
// not heard, and the pod is denied for that.
const webhookTimeout = 5 * time.Second

// wantDenied fails the test unless a pod is denied, in time, with a message
// that has the parts and is for people to read.
func wantDenied(t *testing.T, namespace, plugins string, parts ...string) {
	t.Helper()
	began := time.Now()
	err := webhook.Admin.Create(t.Context(), pod(namespace, "kong", plugins), client.DryRunAll)
	if err == nil {
		t.Fatal("admitted")
	}
	if took := time.Since(began); took > webhookTimeout {
		t.Errorf("denied after %v", took)
	}
	wantText(t, err.Error(), append(parts, `admission webhook "pods.kongdao.io" denied the request`)...)
	if len(err.Error()) > 16<<10 {
		t.Errorf("the denial has %d bytes", len(err.Error()))
	}
}

// TestHugeRequests proves that what an annotation can hold at most is answered
// in time, in a message of a few sentences.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	const size = 65000 // of the 64 KiB that are read
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

// TestAThousandPlugins proves that one pod can have as many, and that it is
// told, shortly, when they are not there.
func TestAThousandPlugins(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	const count = 1000
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("plugin-%d", i)
	}
	all := strings.Join(names, ",")
	wantDenied(t, ns, all, `plugin "plugin-0": no ConfigMap in namespace`, "and 950 more")
	err := inParallel(4, count, func(i int) error { return webhook.Admin.Create(t.Context(), source(ns, names[i])) })
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	// The last of them may not be seen yet: this may be a live read of a thousand.
	made := pod(ns, "kong", all)
	create(t, made)
	t.Logf("%d plugins in %v", count, time.Since(began).Round(time.Millisecond))
	for _, name := range names {
		if err := checkContainer(made, made.Spec.Containers[0], name); err != nil {
			t.Fatal(err)
		}
	}
	wantDenied(t, ns, all+",one-more", `plugin "one-more": no ConfigMap in namespace`)
}

// TestOddSources proves what becomes of ConfigMaps that nobody packs.
func TestOddSources(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	binary := source(ns, "binary")
	binary.BinaryData, binary.Data = map[string][]byte{"logo.png": {0xff, 0xfe, 0}}, nil
	for name, content := range source(ns, "binary").Data {
		binary.BinaryData[name] = []byte(content)
	}
	outside := source(ns, "outside")
	outside.Annotations = map[string]string{annotations.Path: "../x"}
	empty := source(ns, "empty")
	empty.Data = nil
	create(t, binary, outside, empty)

	made := pod(ns, "kong", "binary")
	create(t, made)
	if err := checkInjected(made, "binary", "proxy"); err != nil {
		t.Error(err)
	}
	items := volumeOf(made, "kongdao-binary").Projected.Sources[0].ConfigMap.Items
	if len(items) != 3 || items[1].Key != "logo.png" {
		t.Errorf("the volume has %v", items)
	}
	wantDenied(t, ns, "outside", `plugin "outside": ConfigMap "plugin-outside", key "handler.lua": path "../x/handler.lua" has an element that starts with ".."`)
	wantDenied(t, ns, "empty", `plugin "empty": no handler.lua in ConfigMap "plugin-empty"`, "no schema.lua")
}

// TestAChangedSource proves that a source which is mended, relabelled or moved
// to another plugin counts as it is now.
func TestAChangedSource(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	changing := source(ns, "first")
	changing.Immutable = nil
	create(t, changing)
	admits := func(plugin string) error {
		return webhook.Admin.Create(t.Context(), pod(ns, "kong", plugin), client.DryRunAll)
	}
	become := func(plugin string, want bool) {
		t.Helper()
		eventually(t, func(context.Context) error {
			if err := admits(plugin); (err == nil) != want {
				return errors.Join(fmt.Errorf("plugin %s is not yet there: %v", plugin, want), err)
			}
			return nil
		})
	}
	become("first", true)
	changing.Labels[annotations.Plugin] = "second"
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	become("second", true)
	become("first", false)
	delete(changing.Data, "schema.lua")
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	become("second", false)
	delete(changing.Labels, annotations.Plugin)
	changing.Data["schema.lua"] = "return {}"
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	become("second", false)
	changing.Labels = map[string]string{annotations.Plugin: "second"}
	if err := webhook.Admin.Update(t.Context(), changing); err != nil {
		t.Fatal(err)
	}
	become("second", true)
}
