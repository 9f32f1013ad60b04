package migrate

import (
	"testing"

	"kongdao.io/kongdao/pkg/mutate"
)

// kongContainer returns the Kong container of a pod with these variables.
func kongContainer(t *testing.T, env string) *mutate.Container {
	t.Helper()
	const before, after = `{"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":[`, `]}]}}`
	pod, err := mutate.DecodePod([]byte(before + env + after))
	if err != nil {
		t.Fatal(err)
	}
	return &pod.Containers[0]
}

func variable(name, value string) string { return `{"name":"` + name + `","value":"` + value + `"}` }

func fromSecret(name, key string) string {
	return `{"name":"` + name + `","valueFrom":{"secretKeyRef":{"name":"pg","key":"` + key + `"}}}`
}

// TestDatabaseOf proves how a database is described, and which databases a Job cannot reach.
func TestDatabaseOf(t *testing.T) {
	for name, test := range map[string]struct{ env, want, reason string }{
		"defaults": {env: variable("KONG_PG_HOST", "pg"), want: "pg.kong:5432/kong"},
		"all variables": {
			env: variable("KONG_PG_HOST", "10.0.0.1") + "," + variable("KONG_PG_PORT", "5433") + "," +
				variable("KONG_PG_DATABASE", "gw") + "," + variable("KONG_PG_SCHEMA", "s"),
			want: "10.0.0.1:5433/gw.s",
		},
		"from a Secret": {
			env:  fromSecret("KONG_PG_HOST", "host") + "," + fromSecret("KONG_PG_DATABASE", "db"),
			want: "Secret/pg:host:5432/Secret/pg:db",
		},
		"no host":       {env: variable("KONG_PG_PORT", "5432"), reason: "Kong's default is the loopback address"},
		"empty host":    {env: variable("KONG_PG_HOST", "")},
		"localhost":     {env: variable("KONG_PG_HOST", "localhost")},
		"loopback":      {env: variable("KONG_PG_HOST", "127.0.0.5")},
		"IPv6 loopback": {env: variable("KONG_PG_HOST", "::1")},
	} {
		t.Run(name, func(t *testing.T) {
			database, reachable := DatabaseOf("kong", kongContainer(t, test.env))
			if database.Description != test.want || reachable != (test.want != "") {
				t.Errorf("%q, reachable %v, want %q: %s", database.Description, reachable, test.want, test.reason)
			}
		})
	}
}

// databaseUser is a Kong container in a namespace.
type databaseUser struct{ namespace, env string }

// TestSameDatabase proves which containers share a database, also across namespaces.
func TestSameDatabase(t *testing.T) {
	host := func(name string) string { return variable("KONG_PG_HOST", name) }
	kong := func(env string) databaseUser { return databaseUser{"kong", env} }
	other := func(env string) databaseUser { return databaseUser{"other", env} }
	secretHost := fromSecret("KONG_PG_HOST", "host")
	otherPort := host("pg") + "," + variable("KONG_PG_PORT", "5433")
	otherSchema := host("pg") + "," + variable("KONG_PG_SCHEMA", "b")
	half := host("pg.kong") + "," + fromSecret("KONG_PG_DATABASE", "db")
	for name, test := range map[string]struct {
		a, b   databaseUser
		same   bool
		reason string
	}{
		"equal variables": {kong(host("pg")), kong(host("pg")), true, ""},
		"another user": {
			kong(host("pg") + "," + variable("KONG_PG_USER", "a")), kong(host("pg") + "," + variable("KONG_PG_USER", "b")), true,
			"the user is not a part of the database",
		},
		"explicit defaults": {
			kong(host("pg")),
			kong(host("pg") + "," + variable("KONG_PG_PORT", "5432") + "," + variable("KONG_PG_DATABASE", "kong")), true, "",
		},
		"another port":                      {kong(host("pg")), kong(otherPort), false, ""},
		"another schema":                    {kong(host("pg")), kong(otherSchema), false, ""},
		"short and long name":               {kong(host("pg")), kong(host("pg.kong.svc.cluster.local")), true, "one Service"},
		"long name in another namespace":    {other(host("pg.kong")), kong(host("pg")), true, "one Service"},
		"short name in another namespace":   {other(host("pg")), kong(host("pg")), false, "two Services with the same name"},
		"address in another namespace":      {other(host("10.0.0.1")), kong(host("10.0.0.1")), true, ""},
		"upper case":                        {kong(host("PG.example.")), kong(host("pg.example")), true, "case is ignored"},
		"Secret":                            {kong(secretHost), kong(secretHost), true, ""},
		"another key of a Secret":           {kong(secretHost), kong(fromSecret("KONG_PG_HOST", "standby")), false, ""},
		"Secret in another namespace":       {kong(secretHost), other(secretHost), false, "two Secrets with the same name"},
		"value that looks like a reference": {kong(secretHost), kong(host("Secret/pg:host")), false, "it is a value"},
		"one reference, two namespaces":     {kong(half), other(half), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, okA := DatabaseOf(test.a.namespace, kongContainer(t, test.a.env))
			b, okB := DatabaseOf(test.b.namespace, kongContainer(t, test.b.env))
			if same := a.Key == b.Key; !okA || !okB || same != test.same || len(a.Key) != 16 {
				t.Errorf("%+v and %+v, want the same: %v: %s", a, b, test.same, test.reason)
			}
		})
	}
}
