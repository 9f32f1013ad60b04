package admission

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/configmaps"
)

// migratingSource returns the source of a plugin with one migration.
func migratingSource() *corev1.ConfigMap {
	source := configmaps.Source("kong", "a", "dao-test")
	source.Data = map[string]string{
		"handler.lua": "return {}", "schema.lua": "return { fields = {} }", "migrations.init.lua": `return {"000_base"}`,
		"migrations.000_base.lua": `return { postgres = { up = "SELECT 1" } }`,
	}
	return source
}

// TestPodsWaitForMigrations checks which pods get a scheduling gate: those whose database is not known to be migrated.
func TestPodsWaitForMigrations(t *testing.T) {
	const job = `"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"migrate","uid":"1","controller":true}],`
	for name, test := range map[string]struct {
		owner, mode, spec string
		env               string
		migrated          bool
		failing           error
		off               bool
		gated             bool
		status            int
		reason            string
	}{
		"not migrated":  {gated: true},
		"migrated":      {migrated: true, reason: "a pod that is scaled out must not wait"},
		"pod of a Job":  {owner: job, reason: "the Jobs of the chart run migrations themselves (fact K21)"},
		"with a node":   {spec: `"nodeName":"a",`, reason: "the API server rejects a gate on a pod with a node (fact P1)"},
		"mode off":      {mode: "off"},
		"mode up":       {mode: "up", gated: true},
		"gated already": {spec: `"schedulingGates":[{"name":"kongdao.io/migrations"}],`, reason: "reinvocation"},
		"foreign gate":  {spec: `"schedulingGates":[{"name":"a/b"}],`, gated: true},
		"unreadable": {failing: errors.New("the cache is broken"), status: http.StatusInternalServerError,
			reason: "the failurePolicy decides"},
		"migrations disabled": {off: true, reason: "the process runs without --migrations"},
		"malformed":           {mode: "never", status: http.StatusOK, reason: "denied like every invalid annotation"},
		"no database":         {env: `{"name":"KONG_DATABASE","value":"off"}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, cached(migratingSource()))
			migrations := &fakeMigrations{migrated: test.migrated, err: test.failing}
			if !test.off {
				h.cluster.Migrations = migrations
			}
			env := `{"name":"KONG_PG_HOST","value":"postgres"}`
			if test.env != "" {
				env = test.env
			}
			text := `{"metadata":{` + test.owner + `"annotations":{"kongdao.io/plugins":"dao-test","kongdao.io/migrations":"` +
				test.mode + `"}},"spec":{` + test.spec +
				`"containers":[{"name":"proxy","image":"kong:3.9","env":[` + env + `]}]}}`
			got := h.post(t, podReviewOf(t, []byte(text), "kong"))
			if test.status == http.StatusInternalServerError {
				if got.status != test.status || !strings.Contains(got.message(), "the cache is broken") {
					t.Errorf("got status %d and %s", got.status, got.message())
				}
				return
			}
			if denied := test.mode == "never"; denied != !got.response.Allowed {
				t.Fatalf("allowed is %v: %s", got.response.Allowed, got.message())
			}
			gated := strings.Contains(string(got.response.Patch), annotations.MigrationsGate)
			if gated != test.gated {
				t.Errorf("gated is %v, want %v: %s", gated, test.gated, test.reason)
			}
			migration, audited := got.response.AuditAnnotations[auditMigration]
			if audited != test.gated || test.gated && migrations.last != "kong/"+migration {
				t.Errorf("the audit annotation names migration %q, the handler read %q", migration, migrations.last)
			}
		})
	}
}

// TestGatedPod checks that a gated pod differs from another pod only by the gate, and by the annotation that names the
// PluginMigration it waits for.
func TestGatedPod(t *testing.T) {
	patch := func(migrated bool) string {
		h := newHarness(t, cached(migratingSource()))
		h.cluster.Migrations = &fakeMigrations{migrated: migrated}
		text := `{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},"spec":{"containers":[{"name":"proxy",` +
			`"image":"kong:3.9","env":[{"name":"KONG_PG_HOST","value":"postgres"}]}]}}`
		return string(h.post(t, podReviewOf(t, []byte(text), "kong")).response.Patch)
	}
	want := strings.TrimSuffix(patch(true), "]") +
		`,{"op":"add","path":"/spec/schedulingGates","value":[{"name":"kongdao.io/migrations"}]},` +
		`{"op":"add","path":"/metadata/annotations/kongdao.io~1migration","value":"dao-test-NAME"}]`
	got := regexp.MustCompile(`dao-test-[0-9a-f]{10}"}\]$`).ReplaceAllString(patch(false), `dao-test-NAME"}]`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
