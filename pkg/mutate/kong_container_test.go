package mutate_test

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// TestKongContainer proves which container stands for the pod's database.
func TestKongContainer(t *testing.T) {
	of := func(image, name, env string) string {
		return `{"name":"` + name + `","image":"` + image + `","env":[` + env + `]}`
	}
	kong := func(name, env string) string { return of("kong:3.9", name, env) }
	custom := func(name, env string) string { return of("example.com/gateway:7", name, env) }
	const (
		app       = `{"name":"app","image":"app"}`
		off       = `{"name":"KONG_DATABASE","value":" off "}`
		dataPlane = `{"name":"KONG_ROLE","value":"data_plane"}`
		host      = `{"name":"KONG_PG_HOST","value":"pg"}`
		adminURL  = `{"name":"KONG_ADMIN_URL","value":"http://127.0.0.1:8001"}`
		unknown   = `{"name":"KONG_DATABASE","valueFrom":{"configMapKeyRef":{"name":"a","key":"b"}}}`
	)
	for name, test := range map[string]struct {
		initContainers, containers string
		named                      []string
		want                       string
		reason                     string
	}{
		"main before init": {initContainers: kong("wait", ""), containers: kong("proxy", ""), want: "proxy"},
		"only init":        {initContainers: kong("migrate", ""), containers: app, want: "migrate"},
		"none":             {containers: app},
		"database off":     {containers: kong("proxy", off)},
		"data plane":       {containers: kong("proxy", dataPlane), reason: "it has no database (fact K18)"},
		"second container": {containers: kong("plane", dataPlane) + "," + kong("control", ""), want: "control"},
		"named":            {containers: kong("a", "") + "," + kong("b", ""), named: []string{"b"}, want: "b"},
		"unknown database": {containers: kong("proxy", unknown), want: "proxy", reason: "it may have a database"},
		"client before Kong": {
			containers: custom("exporter", adminURL) + "," + kong("proxy", host), want: "proxy",
			reason: "KONG_ADMIN_URL is for clients of Kong",
		},
		"backup before Kong": {
			containers: of("postgres:16", "backup", host) + "," + kong("proxy", host), want: "proxy",
			reason: "a container without Kong's image is a client of the database",
		},
		"named backup": {
			containers: of("postgres:16", "backup", host) + "," + kong("proxy", ""), named: []string{"backup", "proxy"},
			want: "proxy", reason: "Kong's image decides first",
		},
		"image before main": {
			initContainers: kong("migrate", ""), containers: custom("gateway", host), want: "migrate",
			reason: "Kong's image decides first",
		},
		"main before host": {initContainers: kong("wait", host), containers: kong("proxy", ""), want: "proxy"},
		"host": {
			containers: kong("a", "") + "," + kong("b", host), want: "b", reason: "it names its database",
		},
		"one setting":              {containers: custom("gateway", host), want: "gateway"},
		"second after another app": {containers: app + "," + kong("proxy", ""), want: "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := decode(t, []byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"a"}},"spec":{"initContainers":[`+
				test.initContainers+`],"containers":[`+test.containers+`]}}`))
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
