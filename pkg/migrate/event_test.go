package migrate

import (
	"testing"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestEvents proves which changes of a status have an Event. Each is a phase and the reason of the next condition.
func TestEvents(t *testing.T) {
	type state struct {
		phase  v1alpha1.Phase
		reason string
	}
	status := func(s state) *v1alpha1.PluginMigrationStatus {
		status := &v1alpha1.PluginMigrationStatus{}
		if s.phase == migrated || s.phase == finishing {
			status.Pending = []string{"dao-test: 001_next"}
			setMigrated(status, noon())
		}
		status.Phase = s.phase
		setMessage(status, noon(), s.reason, "the message")
		return status
	}
	starting, running := v1alpha1.ReasonJobStarting, v1alpha1.ReasonJobRunning
	unreachable, cannotStart := v1alpha1.ReasonDatabaseUnreachable, v1alpha1.ReasonCannotStart
	for name, test := range map[string]struct {
		before, after state
		want          string
		warning       bool
	}{
		"started":              {state{"", "NotStarted"}, state{migrating, starting}, "MigrationStarted", false},
		"runs":                 {state{migrating, starting}, state{migrating, running}, "", false},
		"cannot start":         {state{migrating, starting}, state{migrating, cannotStart}, "MigrationCannotStart", true},
		"still cannot start":   {state{migrating, cannotStart}, state{migrating, cannotStart}, "", false},
		"the Job is denied":    {state{waiting, "NotStarted"}, state{waiting, cannotStart}, "MigrationCannotStart", true},
		"unreachable":          {state{migrating, running}, state{waiting, unreachable}, "DatabaseUnreachable", true},
		"waits for another":    {state{"", "NotStarted"}, state{waiting, "OtherJobRunning"}, "MigrationWaiting", false},
		"migrated":             {state{migrating, running}, state{migrated, "Settling"}, "Migrated", false},
		"waits to finish":      {state{migrated, "Settling"}, state{migrated, "OlderPods"}, "", false},
		"finish":               {state{migrated, "Settling"}, state{finishing, starting}, "FinishStarted", false},
		"finish waits again":   {state{finishing, running}, state{migrated, "OlderPods"}, "", false},
		"finish cannot start":  {state{finishing, starting}, state{finishing, cannotStart}, "MigrationCannotStart", true},
		"finished":             {state{finishing, running}, state{finished, "Verified"}, "MigrationFinished", false},
		"failed":               {state{migrating, running}, state{failed, "JobFailed"}, "MigrationFailed", true},
		"held":                 {state{waiting, "NotStarted"}, state{held, "EditedMigration"}, "MigrationHeld", true},
		"the reason is lost":   {state{migrating, running}, state{waiting, "ResultLost"}, "MigrationWaiting", false},
		"nothing has happened": {state{waiting, "NotStarted"}, state{waiting, "NotStarted"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := EventFor(status(test.before), status(test.after))
			if got.Reason != test.want || got.Warning != test.warning {
				t.Errorf("got %+v, want reason %q, warning %t", got, test.want, test.warning)
			}
			if got.Reason != "" && !got.Warning && got.Message == "" {
				t.Error("the Event has no message")
			}
		})
	}
}
