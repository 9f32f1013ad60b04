package decision_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
)

// TestMigrationsThatAreNotRun proves that a pod whose plugin has migrations which kongdao cannot run gets a warning, or
// a denial if migrations are required.
func TestMigrationsThatAreNotRun(t *testing.T) {
	var index catalog.Index
	for name, files := range map[string]map[string]string{
		"dao": {
			"migrations.init.lua":     `return { "000_base" }`,
			"migrations.000_base.lua": `return { postgres = { up = "SELECT 1" } }`,
		},
		"plain": {},
	} {
		files["handler.lua"], files["schema.lua"] = "return {}", "return { fields = {} }"
		index.Put(catalog.NewSource(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name, Labels: map[string]string{annotations.Plugin: name}},
			Immutable:  new(true), Data: files,
		}))
	}
	const loopback, remote = `{"name":"KONG_PG_HOST","value":"127.0.0.1"}`, `{"name":"KONG_PG_HOST","value":"pg"}`
	for name, test := range map[string]struct {
		annotations, env string
		owner            string
		want             string
		reason           string
	}{
		"reachable": {annotations: `"kongdao.io/plugins":"dao"`, env: remote},
		"loopback": {
			annotations: `"kongdao.io/plugins":"dao"`, env: loopback,
			want:   `name the container that forwards to the database in annotation kongdao.io/migrations-with`,
			reason: "nothing else says that the pod waits for a person (case 10)",
		},
		"no host": {
			annotations: `"kongdao.io/plugins":"dao"`,
			want:        `container "proxy" does not show its database, because it has no variable KONG_PG_HOST`,
			reason:      "it can be in kong.conf or in the image",
		},
		"loopback through a sidecar": {
			annotations: `"kongdao.io/plugins":"dao","kongdao.io/migrations-with":"sql-proxy"`, env: loopback,
		},
		"default host through a sidecar": {
			annotations: `"kongdao.io/plugins":"dao","kongdao.io/migrations-with":"sql-proxy"`,
			reason:      "Kong's default is the loopback address",
		},
		"migrations off": {annotations: `"kongdao.io/plugins":"dao","kongdao.io/migrations":"off"`, env: loopback},
		"no migrations":  {annotations: `"kongdao.io/plugins":"plain"`, env: loopback},
		"no database":    {annotations: `"kongdao.io/plugins":"dao"`, env: `{"name":"KONG_DATABASE","value":"off"}`},
		"no request":     {annotations: `"a":"b"`, env: loopback},
		"Job": {
			annotations: `"kongdao.io/plugins":"dao"`, owner: "Job", env: loopback,
			reason: "Kong's chart runs migrations in Jobs (fact K21)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := decision.Pod{Namespace: "kong", OwnerKind: test.owner, View: viewOf(t, []byte(`{"metadata":{"annotations":{`+
				test.annotations+`}},"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":[`+test.env+
				`]},{"name":"sql-proxy","image":"sql-proxy"}]}}`))}
			admit := func(cluster decision.Cluster) decision.Decision {
				t.Helper()
				cluster.Releases = index.Releases
				decided, err := decision.Admit(pod, cluster)
				if err != nil {
					t.Fatal(err)
				}
				return decided
			}
			const about = "kongdao does not run the migrations"
			warned := admit(decision.Cluster{RunsMigrations: true})
			warnings := strings.Join(warned.Warnings, "\n")
			if strings.Contains(warnings, about) != (test.want != "") || !strings.Contains(warnings, test.want) ||
				len(warned.Denials) > 0 {
				t.Errorf("warnings %q, denials %v; want a warning with %q: %s", warnings, warned.Denials, test.want, test.reason)
			}
			required := admit(decision.Cluster{RunsMigrations: true, RequiresMigrations: true})
			isDenied := len(required.Denials) == 1 && required.Denials[0].Reason == denial.MigrationsNotRun &&
				strings.Contains(required.Denials[0].Message, test.want) && len(required.Patch) == 0
			if isDenied != (test.want != "") {
				t.Errorf("with required migrations, the denials are %v", required.Denials)
			}
			if got := admit(decision.Cluster{}).Warnings; strings.Contains(strings.Join(got, ""), about) {
				t.Errorf("without migrations, the warnings are %q", got)
			}
		})
	}
}
