// Package argocd tests the health checks for Argo CD with a Lua interpreter, as Argo CD runs them.
package argocd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/installation"
)

// check runs the health check on an object.
func check(t *testing.T, object any) (status, message string) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(installation.ProjectRoot(), "deploy", "argocd", "health.lua"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", toLua(state, decoded))
	if err := state.DoString(string(script)); err != nil {
		t.Fatal(err)
	}
	health, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		t.Fatalf("the check returns %v", state.Get(-1))
	}
	return health.RawGetString("status").String(), health.RawGetString("message").String()
}

// toLua converts a decoded JSON value.
func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(toLua(state, item))
		}
		return table
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	}
	return lua.LNil
}

func conditions(trueType, message string) []metav1.Condition {
	list := []metav1.Condition{{Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue, Message: "other"}}
	for _, conditionType := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled,
	} {
		condition := metav1.Condition{Type: conditionType, Status: metav1.ConditionFalse, Message: "no"}
		if conditionType == trueType {
			condition.Status, condition.Message = metav1.ConditionTrue, message
		}
		list = append(list, condition)
	}
	return list
}

// TestMigrations checks the health in each phase of a PluginMigration, with the condition that is True there.
func TestMigrations(t *testing.T) {
	want := map[v1alpha1.Phase][2]string{
		v1alpha1.PhaseWaiting:   {v1alpha1.ConditionReconciling, "Progressing"},
		v1alpha1.PhaseMigrating: {v1alpha1.ConditionReconciling, "Progressing"},
		v1alpha1.PhaseMigrated:  {v1alpha1.ConditionReady, "Healthy"},
		v1alpha1.PhaseFinishing: {v1alpha1.ConditionReconciling, "Progressing"},
		v1alpha1.PhaseFinished:  {v1alpha1.ConditionReady, "Healthy"},
		v1alpha1.PhaseHeld:      {v1alpha1.ConditionStalled, "Degraded"},
		v1alpha1.PhaseFailed:    {v1alpha1.ConditionStalled, "Degraded"},
	}
	for _, phase := range v1alpha1.Phases() {
		expected, known := want[phase]
		if !known {
			t.Errorf("there is no test for phase %s", phase)
			continue
		}
		migration := v1alpha1.PluginMigration{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		migration.Status = v1alpha1.PluginMigrationStatus{
			ObservedGeneration: 1, Phase: phase, Conditions: conditions(expected[0], "the reason"),
		}
		if status, message := check(t, migration); status != expected[1] || message != "the reason" {
			t.Errorf("%s: %s, %q; want %s", phase, status, message, expected[1])
		}
	}
}

// TestOutdatedStatus checks objects that kongdao has not seen yet, or not in their present form.
func TestOutdatedStatus(t *testing.T) {
	for name, object := range map[string]any{
		"new": v1alpha1.PluginPolicy{},
		"not observed": v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{Generation: 1}, Status: v1alpha1.PluginMigrationStatus{ObservedGeneration: -1},
		},
		"changed": v1alpha1.PluginPolicy{
			ObjectMeta: metav1.ObjectMeta{Generation: 2},
			Status: v1alpha1.PluginPolicyStatus{
				ObservedGeneration: 1, Conditions: conditions(v1alpha1.ConditionReady, "old"),
			},
		},
	} {
		if status, message := check(t, object); status != "Progressing" || !strings.HasPrefix(message, "Waiting") {
			t.Errorf("%s: %s, %q", name, status, message)
		}
	}
}

// TestPolicies checks the health of PluginPolicies.
func TestPolicies(t *testing.T) {
	for trueType, want := range map[string]string{
		v1alpha1.ConditionReady: "Healthy", v1alpha1.ConditionReconciling: "Progressing",
		v1alpha1.ConditionStalled: "Degraded",
	} {
		policy := v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
		policy.Status.ObservedGeneration = 3
		policy.Status.Conditions = conditions(trueType, "the reason")
		if status, message := check(t, policy); status != want || message != "the reason" {
			t.Errorf("%s: %s, %q; want %s", trueType, status, message, want)
		}
	}
}
