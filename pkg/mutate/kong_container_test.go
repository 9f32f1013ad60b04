package mutate_test

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// TestKongContainer proves which container stands for the pod's database.
func TestKongContainer(t *testing.T) {
	kong := func(name, env string) string { return `{"name":"` + name + `","image":"kong:3.9","env":[` + env + `]}` }
	const (
		app       = `{"name":"app","image":"app"}`
		off       = `{"name":"KONG_DATABASE","value":" off "}`
		dataPlane = `{"name":"KONG_ROLE","value":"data_plane"}`
		unknown   = `{"name":"KONG_DATABASE","valueFrom":{"configMapKeyRef":{"name":"a","key":"b"}}}`
	)
	for name, test := range map[string]struct {
		initContainers, containers string
		named                      []string
		want                       string
		reason                     string
	}{
		"main before init":         {initContainers: kong("wait", ""), containers: kong("proxy", ""), want: "proxy"},
		"only init":                {initContainers: kong("migrate", ""), containers: app, want: "migrate"},
		"none":                     {containers: app},
		"database off":             {containers: kong("proxy", off)},
		"data plane":               {containers: kong("proxy", dataPlane), reason: "it has no database (fact K18)"},
		"second container":         {containers: kong("plane", dataPlane) + "," + kong("control", ""), want: "control"},
		"named":                    {containers: kong("a", "") + "," + kong("b", ""), named: []string{"b"}, want: "b"},
		"unknown database":         {containers: kong("proxy", unknown), want: "proxy", reason: "it may have a database"},
		"second after another app": {containers: app + "," + kong("proxy", ""), want: "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := decode(t, []byte(`{"spec":{"initContainers":[`+test.initContainers+`],"containers":[`+test.containers+`]}}`))
			got := ""
			if container := mutate.KongContainer(pod, annotations.Request{Containers: test.named}); container != nil {
				got = container.Name
			}
			if got != test.want {
				t.Errorf("%q; want %q: %s", got, test.want, test.reason)
			}
		})
	}
}

// TestPlugins proves what a pod shows of the plugins that Kong loads.
func TestPlugins(t *testing.T) {
	for name, test := range map[string]struct {
		env, envFrom string
		want         []string
		isUnknown    bool
	}{
		"unset":     {},
		"list":      {env: `[{"name":"KONG_PLUGINS","value":"bundled, dao-test"}]`, want: []string{"bundled", "dao-test"}},
		"reference": {env: `[{"name":"KONG_PLUGINS","value":"$(X),dao-test"}]`, isUnknown: true},
		"valueFrom": {
			env: `[{"name":"KONG_PLUGINS","valueFrom":{"configMapKeyRef":{"name":"a","key":"b"}}}]`, isUnknown: true,
		},
		"envFrom": {envFrom: `[{"secretRef":{"name":"a"}}]`, isUnknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, isKnown := containerOf(t, test.env, test.envFrom).Plugins()
			if isKnown == test.isUnknown || strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("%q, known %v", got, isKnown)
			}
		})
	}
}
