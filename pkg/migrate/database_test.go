package migrate_test

import (
	"testing"

	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
)

// kongIn is the Kong container of a pod with these variables.
func kongIn(t *testing.T, env string) *mutate.Container {
	t.Helper()
	pod, err := mutate.DecodePod([]byte(`{"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":[` + env + `]}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return &pod.Containers[0]
}

func variable(name, value string) string { return `{"name":"` + name + `","value":"` + value + `"}` }

func secret(name, key string) string {
	return `{"name":"` + name + `","valueFrom":{"secretKeyRef":{"name":"pg","key":"` + key + `"}}}`
}

// TestDatabaseOf proves what a database is called, and that none is ours to
// migrate which a Job could not reach.
func TestDatabaseOf(t *testing.T) {
	for name, test := range map[string]struct{ env, want, reason string }{
		"defaults":       {env: variable("KONG_PG_HOST", "pg"), want: "pg.kong:5432/kong"},
		"all":            {env: variable("KONG_PG_HOST", "10.0.0.1") + "," + variable("KONG_PG_PORT", "5433") + "," + variable("KONG_PG_DATABASE", "gw") + "," + variable("KONG_PG_SCHEMA", "s"), want: "10.0.0.1:5433/gw.s"},
		"from a Secret":  {env: secret("KONG_PG_HOST", "host") + "," + secret("KONG_PG_DATABASE", "db"), want: "Secret/pg:host:5432/Secret/pg:db"},
		"no host":        {env: variable("KONG_PG_PORT", "5432"), reason: "Kong's default is the pod itself"},
		"empty host":     {env: variable("KONG_PG_HOST", "")},
		"localhost":      {env: variable("KONG_PG_HOST", "localhost")},
		"loopback":       {env: variable("KONG_PG_HOST", "127.0.0.5")},
		"loopback of v6": {env: variable("KONG_PG_HOST", "::1")},
	} {
		t.Run(name, func(t *testing.T) {
			database, reachable := migrate.DatabaseOf("kong", kongIn(t, test.env))
			if database.Description != test.want || reachable != (test.want != "") {
				t.Errorf("%q, reachable %v, want %q: %s", database.Description, reachable, test.want, test.reason)
			}
		})
	}
}

// TestSameDatabase proves which pods share a database: those that name it alike,
// as far as their names mean the same in both namespaces.
func TestSameDatabase(t *testing.T) {
	host := func(name string) string { return variable("KONG_PG_HOST", name) }
	for name, test := range map[string]struct {
		envA, spaceA, envB, spaceB string
		same                       bool
		reason                     string
	}{
		"the same":              {host("pg"), "kong", host("pg"), "kong", true, ""},
		"a user is no database": {host("pg") + "," + variable("KONG_PG_USER", "a"), "kong", host("pg") + "," + variable("KONG_PG_USER", "b"), "kong", true, "two users of one database are on one database"},
		"the default spelt out": {host("pg"), "kong", host("pg") + "," + variable("KONG_PG_PORT", "5432") + "," + variable("KONG_PG_DATABASE", "kong"), "kong", true, ""},
		"another port":          {host("pg"), "kong", host("pg") + "," + variable("KONG_PG_PORT", "5433"), "kong", false, ""},
		"another schema":        {host("pg"), "kong", host("pg") + "," + variable("KONG_PG_SCHEMA", "b"), "kong", false, ""},
		"short and long":        {host("pg"), "kong", host("pg.kong.svc.cluster.local"), "kong", true, "one Service"},
		"long elsewhere":        {host("pg.kong"), "other", host("pg"), "kong", true, "one Service, called from two namespaces"},
		"short elsewhere":       {host("pg"), "other", host("pg"), "kong", false, "two Services of one name"},
		"by address":            {host("10.0.0.1"), "other", host("10.0.0.1"), "kong", true, ""},
		"capitals":              {host("PG.example.com."), "kong", host("pg.example.com"), "kong", true, "names of hosts have no case"},
		"Secrets":               {secret("KONG_PG_HOST", "host"), "kong", secret("KONG_PG_HOST", "host"), "kong", true, ""},
		"other keys":            {secret("KONG_PG_HOST", "host"), "kong", secret("KONG_PG_HOST", "standby"), "kong", false, ""},
		"Secrets elsewhere":     {secret("KONG_PG_HOST", "host"), "kong", secret("KONG_PG_HOST", "host"), "other", false, "two Secrets of one name"},
		"a text that looks so":  {secret("KONG_PG_HOST", "host"), "kong", host("Secret/pg:host"), "kong", false, "a value is no reference"},
		"half from elsewhere":   {host("pg.kong") + "," + secret("KONG_PG_DATABASE", "db"), "kong", host("pg.kong") + "," + secret("KONG_PG_DATABASE", "db"), "other", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, okA := migrate.DatabaseOf(test.spaceA, kongIn(t, test.envA))
			b, okB := migrate.DatabaseOf(test.spaceB, kongIn(t, test.envB))
			if same := a.Key == b.Key; !okA || !okB || same != test.same || len(a.Key) != 16 {
				t.Errorf("%+v and %+v, want the same: %v: %s", a, b, test.same, test.reason)
			}
		})
	}
}
