package migrate

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
)

// databaseOf returns the database of a Kong container with these variables. The pod mounts a Secret, a ConfigMap and an
// emptyDir, and has a proxy for the database, which the Job includes if with has its name.
func databaseOf(t *testing.T, namespace, env string, with ...string) (v1alpha1.Database, bool) {
	t.Helper()
	return databaseThrough(t, namespace, env, `{"name":"pg-proxy","image":"sql-proxy:2","args":["db-1"]}`, with...)
}

func databaseThrough(t *testing.T, namespace, env, proxy string, with ...string) (v1alpha1.Database, bool) {
	t.Helper()
	pod, err := mutate.DecodePod([]byte(`{"spec":{"volumes":[{"name":"secret","secret":{"secretName":"pg"}},` +
		`{"name":"settings","configMap":{"name":"settings"}},{"name":"renamed","secret":{"secretName":"pg","items":[{"key":` +
		`"a","path":"host"}]}},{"name":"vault","emptyDir":{}}],"initContainers":[{"name":"vault","image":"vault"}],` +
		`"containers":[{"name":"proxy","image":"kong:3.9","env":[` + env + `],"volumeMounts":[` +
		`{"name":"secret","mountPath":"/secret/"},{"name":"settings","mountPath":"/secret/settings"},` +
		`{"name":"secret","mountPath":"/file","subPath":"host"},{"name":"renamed","mountPath":"/renamed"},` +
		`{"name":"vault","mountPath":"/vault"}]},` + proxy + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return DatabaseOf(namespace, &pod, &pod.Containers[0], with)
}

func variable(name, value string) string { return `{"name":"` + name + `","value":"` + value + `"}` }

// file names a file with the host.
func file(path string) string { return variable("KONG_PG_HOST_FILE", path) }

func fromSecret(name, key string) string {
	return `{"name":"` + name + `","valueFrom":{"secretKeyRef":{"name":"pg","key":"` + key + `"}}}`
}

// TestDatabaseOf proves how a database is described, and which databases a Job cannot reach.
func TestDatabaseOf(t *testing.T) {
	for name, test := range map[string]struct {
		env  string
		with []string
		want string

		reason string
	}{
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
		"file of a Secret":            {env: file("/secret/host"), want: "Secret/pg:host:5432/kong"},
		"file of a mounted key":       {env: file("/file"), want: "Secret/pg:host:5432/kong"},
		"file of the nearest mount":   {env: file("/secret/settings/a"), want: "ConfigMap/settings:a:5432/kong"},
		"file with another name":      {env: file("/renamed/host"), want: "file /renamed/host:5432/kong"},
		"file that a container makes": {env: file("/vault/host"), want: "file /vault/host:5432/kong"},
		"name in a file": {
			env:  variable("KONG_PG_HOST", "10.0.0.1") + "," + variable("KONG_PG_DATABASE_FILE", "/secret/db"),
			want: "10.0.0.1:5432/Secret/pg:db",
		},
		"value and file": {
			env:  variable("KONG_PG_HOST", "10.0.0.1") + "," + file("/secret/host"),
			want: "10.0.0.1:5432/kong", reason: "Kong's entrypoint fails, and the Job says so",
		},
		"loopback through a sidecar": {
			env: variable("KONG_PG_HOST", "127.0.0.1"), with: []string{"vault", "pg-proxy"},
			want: "pg-proxy-02bf0deb:5432/kong",
		},
		"loopback with an init container": {
			env: variable("KONG_PG_HOST", "127.0.0.1"), with: []string{"vault"}, reason: "it has ended when Kong runs",
		},
		"no host":       {env: variable("KONG_PG_PORT", "5432"), reason: "Kong's default is the loopback address"},
		"empty host":    {env: variable("KONG_PG_HOST", "")},
		"localhost":     {env: variable("KONG_PG_HOST", "localhost")},
		"loopback":      {env: variable("KONG_PG_HOST", "127.0.0.5")},
		"IPv6 loopback": {env: variable("KONG_PG_HOST", "::1")},
	} {
		t.Run(name, func(t *testing.T) {
			database, reachable := databaseOf(t, "kong", test.env, test.with...)
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
			a, okA := databaseOf(t, test.a.namespace, test.a.env)
			b, okB := databaseOf(t, test.b.namespace, test.b.env)
			if same := a.Key == b.Key; !okA || !okB || same != test.same || len(a.Key) != 16 {
				t.Errorf("%+v and %+v, want the same: %v: %s", a, b, test.same, test.reason)
			}
		})
	}
}

// TestDatabaseThroughSidecar proves that what a sidecar runs identifies the database that Kong reaches through it.
func TestDatabaseThroughSidecar(t *testing.T) {
	const host = `{"name":"KONG_PG_HOST","value":"localhost"}`
	key := func(namespace, proxy string) string {
		database, ok := databaseThrough(t, namespace, host, proxy, "pg-proxy")
		if !ok {
			t.Fatalf("no database with %s", proxy)
		}
		return database.Key
	}
	const proxy = `{"name":"pg-proxy","image":"registry:5000/sql-proxy:2","args":["db-1"],` +
		`"env":[{"name":"A","value":"b"}]}`
	first := key("kong", proxy)
	for name, test := range map[string]struct {
		namespace, proxy string
		same             bool
	}{
		"equal":     {"kong", proxy, true},
		"new tag":   {"kong", strings.Replace(proxy, ":2", "@sha256:abc", 1), true},
		"image":     {"kong", strings.Replace(proxy, "sql-proxy", "other-proxy", 1), false},
		"argument":  {"kong", strings.Replace(proxy, "db-1", "db-2", 1), false},
		"command":   {"kong", strings.Replace(proxy, "args", "command", 1), false},
		"variable":  {"kong", strings.Replace(proxy, `"b"`, `"c"`, 1), false},
		"namespace": {"other", proxy, false},
	} {
		if got := key(test.namespace, test.proxy) == first; got != test.same {
			t.Errorf("%s: the database is the same: %t, want %t", name, got, test.same)
		}
	}
}
