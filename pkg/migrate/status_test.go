package migrate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestSummaryConditions proves which of Ready, Reconciling and Stalled each phase has, with which reason and message.
func TestSummaryConditions(t *testing.T) {
	start, later := metav1.NewTime(time.Unix(1_800_000_000, 0)), metav1.NewTime(time.Unix(1_800_000_060, 0))
	// both returns a False Ready and another True condition, with the same reason and message.
	both := func(conditionType, text string) map[string]string {
		return map[string]string{"Ready": "False " + text, conditionType: "True " + text}
	}
	tests := map[v1alpha1.Phase]struct {
		// isMigrated says whether "up" has succeeded before. isFinished says whether nothing is pending.
		isMigrated, isFinished bool
		// reason and message are those that the controller set before. They are empty if it set none.
		reason, message string
		want            map[string]string
	}{
		"": {want: both("Reconciling", "NotStarted: ")},
		v1alpha1.PhaseWaiting: {
			reason: v1alpha1.ReasonOtherJobRunning, message: "Another Job runs",
			want: both("Reconciling", "OtherJobRunning: Another Job runs"),
		},
		v1alpha1.PhaseMigrating: {
			reason: v1alpha1.ReasonJobRunning, message: "The Job runs",
			want: both("Reconciling", "JobRunning: The Job runs"),
		},
		v1alpha1.PhaseMigrated: {
			isMigrated: true, reason: v1alpha1.ReasonOlderPods, message: "Older pods run",
			want: map[string]string{"Ready": "True Verified: Older pods run"},
		},
		v1alpha1.PhaseFinishing: {
			isMigrated: true, reason: v1alpha1.ReasonJobRunning, message: "The Job runs",
			want: both("Reconciling", "JobRunning: The Job runs"),
		},
		v1alpha1.PhaseFinished: {
			isMigrated: true, isFinished: true,
			want: map[string]string{"Ready": "True Verified: No migration is pending"},
		},
		v1alpha1.PhaseHeld: {
			reason: v1alpha1.ReasonEditedMigration, message: "A file changed",
			want: both("Stalled", "EditedMigration: A file changed"),
		},
		v1alpha1.PhaseFailed: {
			reason: v1alpha1.ReasonJobFailed, message: "The Job failed",
			want: both("Stalled", "JobFailed: The Job failed"),
		},
	}
	for _, phase := range v1alpha1.Phases() {
		if _, ok := tests[phase]; !ok {
			t.Errorf("no row for phase %s", phase)
		}
	}
	for phase, test := range tests {
		t.Run("phase "+string(phase), func(t *testing.T) {
			// Before, the migration was in another phase: conditions that no longer apply must go.
			status := v1alpha1.PluginMigrationStatus{ObservedGeneration: 7, Conditions: []metav1.Condition{
				{Type: "Ready", Status: metav1.ConditionUnknown, Reason: "Before", LastTransitionTime: start},
				{Type: "Reconciling", Status: metav1.ConditionTrue, Reason: "Before", LastTransitionTime: start},
				{Type: "Stalled", Status: metav1.ConditionTrue, Reason: "Before", LastTransitionTime: start},
			}}
			if test.isMigrated {
				if !test.isFinished {
					status.Pending = []string{"dao-test: 001_next"}
				}
				setMigrated(&status, start)
			}
			if test.reason != "" {
				setMessage(&status, start, test.reason, test.message)
			}
			status.Phase = phase
			summarize(&status, later)
			got := map[string]string{}
			for _, condition := range status.Conditions {
				if condition.ObservedGeneration != 7 {
					t.Errorf("condition %s is about generation %d", condition.Type, condition.ObservedGeneration)
				}
				if condition.Type == v1alpha1.ConditionMigrated || condition.Type == v1alpha1.ConditionFinished {
					continue
				}
				got[condition.Type] = string(condition.Status) + " " + condition.Reason + ": " + condition.Message
				if changed := condition.LastTransitionTime.Equal(&later); changed != (condition.Type == "Ready") {
					t.Errorf("the transition time of %s is %v: only the status of Ready changed",
						condition.Type, condition.LastTransitionTime)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			before := status.DeepCopy()
			summarize(&status, metav1.NewTime(later.Add(time.Hour)))
			if diff := cmp.Diff(before, &status); diff != "" {
				t.Errorf("a second call changes the status (-first +second)\n%s", diff)
			}
		})
	}
}
