package mutate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// containerOf is the first container of a pod with these variables.
func containerOf(t *testing.T, env, envFrom string) *mutate.Container {
	t.Helper()
	pod := decode(t, []byte(`{"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":`+env+`,"envFrom":`+envFrom+`}]}}`))
	return &pod.Containers[0]
}

// TestValue proves what is known of a variable that names the database, without
// reading what it refers to.
func TestValue(t *testing.T) {
	const host = `"name":"KONG_PG_HOST"`
	for name, test := range map[string]struct {
		env, envFrom string
		want         string
		literal      bool
		unset        bool
		reason       string
	}{
		"value":             {env: `[{` + host + `,"value":"postgres"}]`, want: "postgres", literal: true},
		"unset":             {env: `[{"name":"KONG_PG_PORT","value":"1"}]`, unset: true},
		"null":              {env: `null`, unset: true},
		"the last counts":   {env: `[{` + host + `,"value":"a"},{` + host + `,"value":"b"}]`, want: "b", literal: true},
		"a Secret":          {env: `[{` + host + `,"valueFrom":{"secretKeyRef":{"name":"pg","key":"host","optional":false}}}]`, want: "Secret/pg:host"},
		"a ConfigMap":       {env: `[{` + host + `,"valueFrom":{"configMapKeyRef":{"key":"host","name":"pg"}}}]`, want: "ConfigMap/pg:host"},
		"a field":           {env: `[{` + host + `,"valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"status.hostIP"}}}]`, want: "field status.hostIP"},
		"a later kind":      {env: `[{` + host + `,"valueFrom":{"fileKeyRef":{"path":"a"}}}]`, want: `{"fileKeyRef":{"path":"a"}}`, reason: "what is not known stands as it is"},
		"in another order":  {env: `[{"valueFrom":{"secretKeyRef":{"name":"pg","key":"host"}},` + host + `}]`, want: "Secret/pg:host"},
		"envFrom":           {env: `null`, envFrom: `[{"secretRef":{"name":"a"}},{"configMapRef":{"name":"b"}},{"prefix":"X_","secretRef":{"name":"c"}}]`, want: `envFrom Secret "a", ConfigMap "b"`},
		"env before it":     {env: `[{` + host + `,"value":"a"}]`, envFrom: `[{"secretRef":{"name":"a"}}]`, want: "a", literal: true, reason: "env wins (P2)"},
		"a reference":       {env: `[{"name":"A","value":"db"},{` + host + `,"value":"$(A).x"}]`, want: "db.x", literal: true},
		"through two":       {env: `[{"name":"A","value":"db"},{"name":"B","value":"$(A)$(A)"},{` + host + `,"value":"$(B)"}]`, want: "dbdb", literal: true},
		"to a Secret":       {env: `[{"name":"A","valueFrom":{"secretKeyRef":{"name":"pg","key":"host"}}},{` + host + `,"value":"$(A).x"}]`, want: "{Secret/pg:host}.x"},
		"to what is behind": {env: `[{` + host + `,"value":"$(A)"},{"name":"A","value":"db"}]`, want: "$(A)", reason: "only what stands before expands (P2)"},
		"to a Service":      {env: `[{` + host + `,"value":"$(PG_SERVICE_HOST)"}]`, want: "$(PG_SERVICE_HOST)", reason: "the kubelet knows it, and it is the namespace's"},
		"to itself":         {env: `[{` + host + `,"value":"$(KONG_PG_HOST)"}]`, want: "$(KONG_PG_HOST)"},
		"escaped":           {env: `[{"name":"A","value":"db"},{` + host + `,"value":"$$(A)$"}]`, want: "$(A)$", literal: true},
		"not closed":        {env: `[{` + host + `,"value":"$(A"}]`, want: "$(A", literal: true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.envFrom == "" {
				test.envFrom = "null"
			}
			value, set := containerOf(t, test.env, test.envFrom).Value(mutate.EnvHost)
			if set == test.unset || value.Text != test.want || value.Literal != test.literal {
				t.Errorf("%+v, set %v, want %q, literal %v: %s", value, set, test.want, test.literal, test.reason)
			}
		})
	}
}

// TestValueOfABomb proves that variables which double each other cost nothing.
func TestValueOfABomb(t *testing.T) {
	var env strings.Builder
	env.WriteString(`[{"name":"V0","value":"xxxxxxxxxx"}`)
	for i := range 60 {
		fmt.Fprintf(&env, `,{"name":"V%d","value":"$(V%d)$(V%d)"}`, i+1, i, i)
	}
	env.WriteString(`,{"name":"KONG_PG_HOST","value":"$(V60)"}]`)
	began := time.Now()
	value, _ := containerOf(t, env.String(), "null").Value(mutate.EnvHost)
	if len(value.Text) > 10_000 || time.Since(began) > 10*time.Second {
		t.Errorf("%d bytes in %v", len(value.Text), time.Since(began))
	}
}

// TestKongContainer proves whose database a pod is about.
func TestKongContainer(t *testing.T) {
	kong := func(name, env string) string { return `{"name":"` + name + `","image":"kong:3.9","env":[` + env + `]}` }
	const off, plane = `{"name":"KONG_DATABASE","value":" off "}`, `{"name":"KONG_ROLE","value":"data_plane"}`
	for name, test := range map[string]struct {
		init, main, annotation, want, reason string
	}{
		"main before init":  {init: kong("wait", ""), main: kong("proxy", ""), want: "proxy"},
		"init alone":        {init: kong("migrate", ""), main: `{"name":"app","image":"app"}`, want: "migrate"},
		"none":              {main: `{"name":"app","image":"app"}`},
		"off":               {main: kong("proxy", off)},
		"data plane":        {main: kong("proxy", plane), reason: "it has the control plane's rows, and no database (K18)"},
		"the one with":      {main: kong("plane", plane) + "," + kong("control", ""), want: "control"},
		"named":             {main: kong("a", "") + "," + kong("b", ""), annotation: "b", want: "b"},
		"elsewhere":         {main: kong("proxy", `{"name":"KONG_DATABASE","valueFrom":{"configMapKeyRef":{"name":"a","key":"b"}}}`), want: "proxy", reason: "who cannot see takes care"},
		"sidecar of others": {main: `{"name":"app","image":"app"},` + kong("proxy", ""), want: "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := decode(t, []byte(`{"spec":{"initContainers":[`+test.init+`],"containers":[`+test.main+`]}}`))
			var named []string
			if test.annotation != "" {
				named = []string{test.annotation}
			}
			got := ""
			if container := mutate.KongContainer(pod, annotations.Request{Containers: named}); container != nil {
				got = container.Name
			}
			if got != test.want {
				t.Errorf("%q, want %q: %s", got, test.want, test.reason)
			}
		})
	}
}

// TestPlugins proves what is known of what Kong loads.
func TestPlugins(t *testing.T) {
	for name, test := range map[string]struct {
		env, envFrom string
		want         []string
		unknown      bool
	}{
		"unset":     {env: "null"},
		"list":      {env: `[{"name":"KONG_PLUGINS","value":"bundled, dao-test"}]`, want: []string{"bundled", "dao-test"}},
		"reference": {env: `[{"name":"KONG_PLUGINS","value":"$(X),dao-test"}]`, unknown: true},
		"elsewhere": {env: `[{"name":"KONG_PLUGINS","valueFrom":{"configMapKeyRef":{"name":"a","key":"b"}}}]`, unknown: true},
		"envFrom":   {env: "null", envFrom: `[{"secretRef":{"name":"a"}}]`, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.envFrom == "" {
				test.envFrom = "null"
			}
			got, known := containerOf(t, test.env, test.envFrom).Plugins()
			if known == test.unknown || strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("%q, known %v", got, known)
			}
		})
	}
}

// TestGates proves what is read of a pod's scheduling gates and its node.
func TestGates(t *testing.T) {
	for text, want := range map[string]mutate.Pod{
		`{"spec":{}}`:                     {},
		`{"spec":{"nodeName":""}}`:        {},
		`{"spec":{"nodeName":"a"}}`:       {HasNode: true},
		`{"spec":{"schedulingGates":[]}}`: {},
		`{"spec":{"schedulingGates":[{"name":"a/b"},{"name":"kongdao.io/migrations"},{"name":"c/d"}]}}`: {Gates: []string{"a/b", "kongdao.io/migrations", "c/d"}},
		`{"spec":{"schedulingGates":[{"name":"a/b"}]}}`:                                                 {Gates: []string{"a/b"}},
	} {
		if got := decode(t, []byte(text)); got.HasNode != want.HasNode || !slices.Equal(got.Gates, want.Gates) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
