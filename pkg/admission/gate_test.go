package admission

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/configmaps"
)

// migratingSource brings a plugin with one migration.
func migratingSource() *corev1.ConfigMap {
	source := configmaps.Source("kong", "a", "dao-test")
	source.Data = map[string]string{
		"handler.lua": "return {}", "schema.lua": "return {}", "migrations.init.lua": `return {"000_base"}`, "migrations.000_base.lua": "return {}",
	}
	return source
}

// TestGateOfPods proves which pods wait until their database is migrated: those
// of a database that is not known to be.
func TestGateOfPods(t *testing.T) {
	const job = `"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"migrate","uid":"1","controller":true}],`
	for name, test := range map[string]struct {
		owner, mode, spec string
		migrated          bool
		failing           error
		off               bool
		gated             bool
		status            int
		reason            string
	}{
		"not known":        {gated: true},
		"known":            {migrated: true, reason: "scaling out waits for nobody"},
		"a Job's":          {owner: job, reason: "it is what migrates, elsewhere (K21)"},
		"with a node":      {spec: `"nodeName":"a",`, reason: "the API server would deny the gate (P1)"},
		"off":              {mode: "off"},
		"up alone":         {mode: "up", gated: true},
		"gated before":     {spec: `"schedulingGates":[{"name":"kongdao.io/migrations"}],`, reason: "reinvocation"},
		"others' gate":     {spec: `"schedulingGates":[{"name":"a/b"}],`, gated: true},
		"cannot be known":  {failing: errors.New("the cache is broken"), status: http.StatusInternalServerError, reason: "the failurePolicy decides"},
		"no migrations":    {off: true, reason: "the process was started without --migrations"},
		"malformed":        {mode: "never", status: http.StatusOK, reason: "denied like any mistake"},
		"a database of no": {spec: `"hostname":"KONG_DATABASE=off",`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, cached(migratingSource()))
			asked := ""
			if !test.off {
				h.pods.Migrated = func(_ context.Context, namespace, record string) (bool, error) {
					asked = namespace + "/" + record
					return test.migrated, test.failing
				}
			}
			env := `{"name":"KONG_PG_HOST","value":"postgres"}`
			if name == "a database of no" {
				env = `{"name":"KONG_DATABASE","value":"off"}`
			}
			text := `{"metadata":{` + test.owner + `"annotations":{"kongdao.io/plugins":"dao-test","kongdao.io/migrations":"` + test.mode + `"}},"spec":{` + test.spec +
				`"containers":[{"name":"proxy","image":"kong:3.9","env":[` + env + `]}]}}`
			got := h.post(t, podReviewOf(t, []byte(text), "kong"))
			if test.status == http.StatusInternalServerError {
				if got.status != test.status || !strings.Contains(got.message(), "the cache is broken") {
					t.Errorf("%d %s", got.status, got.message())
				}
				return
			}
			if denied := test.mode == "never"; denied != !got.response.Allowed {
				t.Fatalf("allowed: %v: %s", got.response.Allowed, got.message())
			}
			gated := strings.Contains(string(got.response.Patch), annotations.MigrationsGate)
			if gated != test.gated {
				t.Errorf("gated: %v: %s", gated, test.reason)
			}
			record, audited := got.response.AuditAnnotations[auditMigration]
			if audited != test.gated || test.gated && asked != "kong/"+record {
				t.Errorf("the audit log says it waits for %q, asked about was %q", record, asked)
			}
		})
	}
}

// TestGateIsOneOperation proves that a gate adds nothing to a pod but itself.
func TestGateIsOneOperation(t *testing.T) {
	patch := func(migrated bool) string {
		h := newHarness(t, cached(migratingSource()))
		h.pods.Migrated = func(context.Context, string, string) (bool, error) { return migrated, nil }
		text := `{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},"spec":{"containers":[{"name":"proxy","image":"kong:3.9","env":[{"name":"KONG_PG_HOST","value":"postgres"}]}]}}`
		return string(h.post(t, podReviewOf(t, []byte(text), "kong")).response.Patch)
	}
	want := strings.TrimSuffix(patch(true), "]") + `,{"op":"add","path":"/spec/schedulingGates","value":[{"name":"kongdao.io/migrations"}]}]`
	if diff := cmp.Diff(want, patch(false)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
