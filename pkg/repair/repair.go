// Package repair decides what a person can do about a migration that does not continue, and about a pod that waits.
//
//	PluginMigration --Retry, Finish, Accept, Hold--> Action
//	Pod             --Ungate-----------------------> Action
//
// An error says why the action makes no sense in the present state, and what does. The package is pure: kubectl kongdao
// applies the actions.
package repair

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/migrate"
)

// Action changes or deletes an object.
type Action struct {
	// Patch is a JSON merge patch. It is nil if the object is deleted, or if gates are removed.
	Patch []byte
	// Gates are the scheduling gates to remove from a pod.
	Gates []string
	// Delete reports whether the object is deleted.
	Delete bool
	// Effect is a sentence: what happens then.
	Effect string
	// Risk is a sentence about what can go wrong. An action with a risk needs a confirmation.
	Risk string
}

// annotate returns an action that sets annotations. An annotation without a value is removed.
func annotate(values map[string]string) Action {
	set := map[string]any{}
	for name, value := range values {
		set[name] = value
		if value == "" {
			set[name] = nil
		}
	}
	// A map of strings can always be encoded.
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": set}})
	return Action{Patch: patch}
}

// describe says in which state a migration is: `is Failed: ...`.
func describe(migration *v1alpha1.PluginMigration) string {
	phase := string(migration.Status.Phase)
	if phase == "" {
		phase = "new"
	}
	text := fmt.Sprintf("PluginMigration %q is %s", migration.Name, phase)
	if migration.Status.Message != "" {
		text += ": " + strings.TrimSuffix(migration.Status.Message, ".")
	}
	return text
}

func isOnHold(migration *v1alpha1.PluginMigration) bool {
	return migration.Annotations[annotations.Migrations] == string(annotations.MigrationsOff)
}

// Retry lets kongdao try a migration again. kongdao does the same for each migration that is deleted while pods
// require it.
func Retry(migration *v1alpha1.PluginMigration) (Action, error) {
	switch phase := migration.Status.Phase; {
	case isOnHold(migration):
		action := annotate(map[string]string{annotations.Migrations: ""})
		action.Effect = "kongdao continues with the migration"
		return action, nil
	case phase == v1alpha1.PhaseMigrated || phase == v1alpha1.PhaseFinished:
		return Action{}, fmt.Errorf("%s; there is nothing to try again", describe(migration))
	case phase == v1alpha1.PhaseHeld:
		return Action{}, fmt.Errorf("%s; a new attempt would be held too", describe(migration))
	}
	action := Action{Delete: true, Effect: "kongdao creates the PluginMigration again while pods require it"}
	if phase := migration.Status.Phase; phase == v1alpha1.PhaseMigrating || phase == v1alpha1.PhaseFinishing {
		action.Risk = fmt.Sprintf("Job %q runs and is stopped", migration.Status.Job)
	}
	return action, nil
}

// Finish lets kongdao run "kong migrations finish". With ignoreForeignPods, it does not wait for the pods of other
// namespaces.
func Finish(migration *v1alpha1.PluginMigration, ignoreForeignPods bool) (Action, error) {
	switch {
	case !migrate.IsMigrated(migration):
		return Action{}, fmt.Errorf("%s; \"kong migrations finish\" comes after \"kong migrations up\"", describe(migration))
	case len(migration.Status.Pending) == 0:
		return Action{}, fmt.Errorf("%s; no migration is pending", describe(migration))
	case migration.Status.Phase == v1alpha1.PhaseFinishing:
		return Action{}, fmt.Errorf("%s; \"kong migrations finish\" runs already", describe(migration))
	case !ignoreForeignPods && !isManual(migration):
		return Action{}, fmt.Errorf("%s; kongdao runs \"kong migrations finish\" without you", describe(migration))
	}
	values := map[string]string{annotations.Migrations: string(annotations.MigrationsAuto)}
	risk := ""
	if ignoreForeignPods {
		values[annotations.IgnoreForeignPods] = "true"
		risk = " Pods in other namespaces that need it then answer with errors."
	}
	action := annotate(values)
	action.Effect = "kongdao runs \"kong migrations finish\" as soon as no pod of this namespace needs what it removes"
	action.Risk = fmt.Sprintf("\"kong migrations finish\" cannot be undone. It finishes %s.%s",
		strings.Join(migration.Status.Pending, "; "), risk)
	return action, nil
}

// isManual reports whether a person must finish a migration.
func isManual(migration *v1alpha1.PluginMigration) bool {
	condition := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionFinished)
	return condition != nil && condition.Reason == v1alpha1.ReasonManualFinish
}

// Accept accepts a migration whose file changed after Kong had executed it.
func Accept(migration *v1alpha1.PluginMigration) (Action, error) {
	condition := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionMigrated)
	if migration.Status.Phase != v1alpha1.PhaseHeld || condition == nil ||
		condition.Reason != v1alpha1.ReasonEditedMigration {
		return Action{}, fmt.Errorf("%s; no edited migration waits to be accepted", describe(migration))
	}
	action := annotate(map[string]string{annotations.AcceptEdited: "true"})
	action.Effect = "kongdao treats the edited migration as executed"
	action.Risk = "Kong never runs the edited file. " + migration.Status.Message
	return action, nil
}

// Hold stops kongdao from starting Jobs for a migration.
func Hold(migration *v1alpha1.PluginMigration) (Action, error) {
	switch {
	case isOnHold(migration):
		return Action{}, fmt.Errorf("%s; it is held already", describe(migration))
	case migration.Status.Phase == v1alpha1.PhaseFinished:
		return Action{}, fmt.Errorf("%s; kongdao starts no more Jobs for it", describe(migration))
	}
	action := annotate(map[string]string{annotations.Migrations: string(annotations.MigrationsOff)})
	action.Effect = "kongdao starts no Job for it. Pods that wait for it keep waiting"
	if phase := migration.Status.Phase; phase == v1alpha1.PhaseMigrating || phase == v1alpha1.PhaseFinishing {
		action.Effect += fmt.Sprintf(". Job %q continues", migration.Status.Job)
	}
	return action, nil
}

// risks are the risks of starting a pod without waiting, by gate.
var risks = map[string]string{
	annotations.MigrationsGate: "If its database is not migrated, Kong answers requests to the plugin with status 500",
	annotations.LibraryGate:    "If the copies of its plugins do not exist, the pod stays in ContainerCreating",
}

// Ungate removes kongdao's scheduling gates from a pod.
func Ungate(pod *corev1.Pod) (Action, error) {
	action := Action{Effect: "the pod starts without waiting for kongdao"}
	var others []string
	for _, gate := range pod.Spec.SchedulingGates {
		risk, isOurs := risks[gate.Name]
		if !isOurs {
			others = append(others, gate.Name)
			continue
		}
		action.Gates = append(action.Gates, gate.Name)
		action.Risk = strings.TrimPrefix(action.Risk+". "+risk, ". ")
	}
	if len(others) > 0 {
		action.Effect = "kongdao's gate is removed. The pod still waits for " + strings.Join(others, ", ")
	}
	if len(action.Gates) == 0 {
		return Action{}, fmt.Errorf("pod %q has no scheduling gate of kongdao; its phase is %s", pod.Name, pod.Status.Phase)
	}
	return action, nil
}
