package mutate_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/mutate"
)

// containerOf returns a container with these variables. Both lists are JSON, null if empty.
func containerOf(t *testing.T, env, envFrom string) *mutate.Container {
	t.Helper()
	container := `{"name":"proxy","image":"kong:3.9","env":` + cmp.Or(env, "null") +
		`,"envFrom":` + cmp.Or(envFrom, "null") + `}`
	pod := decode(t, []byte(`{"spec":{"containers":[`+container+`]}}`))
	return &pod.Containers[0]
}

// TestValue proves what a pod shows of a variable that identifies the database.
func TestValue(t *testing.T) {
	const (
		keyRef    = `"valueFrom":{"secretKeyRef":{"name":"pg","key":"host","optional":false}}`
		configMap = `"valueFrom":{"configMapKeyRef":{"key":"host","name":"pg"}}`
		field     = `"valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"status.hostIP"}}`
		file      = `"valueFrom":{"fileKeyRef":{"path":"a"}}`
		envFrom   = `[{"secretRef":{"name":"a"}},{"configMapRef":{"name":"b"}},{"prefix":"X_","secretRef":{"name":"c"}}]`
	)
	host := func(value string) string { return `{"name":"KONG_PG_HOST",` + value + `}` }
	hostValue := func(value string) string { return host(`"value":"` + value + `"`) }
	variable := func(name, value string) string { return `{"name":"` + name + `","value":"` + value + `"}` }
	list := func(variables ...string) string { return "[" + strings.Join(variables, ",") + "]" }
	for name, test := range map[string]struct {
		env, envFrom string
		want         string
		isLiteral    bool
		isUnset      bool
		reason       string
	}{
		"value":             {env: list(hostValue("postgres")), want: "postgres", isLiteral: true},
		"unset":             {env: list(variable("KONG_PG_PORT", "1")), isUnset: true},
		"null":              {isUnset: true},
		"two values":        {env: list(hostValue("a"), hostValue("b")), want: "b", isLiteral: true},
		"Secret":            {env: list(host(keyRef)), want: "Secret/pg:host"},
		"ConfigMap":         {env: list(host(configMap)), want: "ConfigMap/pg:host"},
		"field":             {env: list(host(field)), want: "field status.hostIP"},
		"unknown kind":      {env: list(host(file)), want: `{"fileKeyRef":{"path":"a"}}`},
		"name after source": {env: list(`{` + keyRef + `,"name":"KONG_PG_HOST"}`), want: "Secret/pg:host"},
		"envFrom":           {envFrom: envFrom, want: `envFrom Secret "a", ConfigMap "b"`},
		"value and envFrom": {
			env: list(hostValue("a")), envFrom: envFrom,
			want: "a", isLiteral: true, reason: "env overrides envFrom (fact P2)",
		},
		"reference": {env: list(variable("A", "db"), hostValue("$(A).x")), want: "db.x", isLiteral: true},
		"two references": {
			env:  list(variable("A", "db"), variable("B", "$(A)$(A)"), hostValue("$(B)")),
			want: "dbdb", isLiteral: true,
		},
		"reference, Secret": {env: list(`{"name":"A",`+keyRef+`}`, hostValue("$(A).x")), want: "{Secret/pg:host}.x"},
		"reference to later": {
			env:  list(hostValue("$(A)"), variable("A", "db")),
			want: "$(A)", reason: "$(NAME) refers to earlier variables (fact P2)",
		},
		"reference, Service": {
			env:  list(hostValue("$(PG_SERVICE_HOST)")),
			want: "$(PG_SERVICE_HOST)", reason: "its value depends on the namespace",
		},
		"reference to self": {env: list(hostValue("$(KONG_PG_HOST)")), want: "$(KONG_PG_HOST)"},
		"escaped":           {env: list(variable("A", "db"), hostValue("$$(A)$")), want: "$(A)$", isLiteral: true},
		"not closed":        {env: list(hostValue("$(A")), want: "$(A", isLiteral: true},
	} {
		t.Run(name, func(t *testing.T) {
			value, isSet := new(mutate.Pod).Value(containerOf(t, test.env, test.envFrom), mutate.EnvHost)
			if isSet == test.isUnset || value.Text != test.want || value.Literal != test.isLiteral {
				t.Errorf("%+v, set %v; want %q, literal %v: %s", value, isSet, test.want, test.isLiteral, test.reason)
			}
		})
	}
}

// TestValueIsLimited proves that references which double the text 60 times do not exhaust memory.
func TestValueIsLimited(t *testing.T) {
	var env strings.Builder
	env.WriteString(`[{"name":"V0","value":"xxxxxxxxxx"}`)
	for i := range 60 {
		fmt.Fprintf(&env, `,{"name":"V%d","value":"$(V%d)$(V%d)"}`, i+1, i, i)
	}
	env.WriteString(`,{"name":"KONG_PG_HOST","value":"$(V60)"}]`)
	start := time.Now()
	value, _ := new(mutate.Pod).Value(containerOf(t, env.String(), ""), mutate.EnvHost)
	if duration := time.Since(start); len(value.Text) > 10_000 || duration > 10*time.Second {
		t.Errorf("%d bytes in %v", len(value.Text), duration)
	}
}
