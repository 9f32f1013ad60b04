package decision

import (
	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/migrate"
)

// gates returns the scheduling gates that the pod must be created with, and the name of the PluginMigration that it
// waits for, "" for none. A pod that is scaled out or rescheduled finds its database migrated and does not wait.
func (a *admission) gates(
	decision *Decision, requirement *migrate.Requirement,
) (gates []string, migration string, err error) {
	pod := &a.pod.View
	// The API server rejects a pod that has both a node and a gate (fact P1).
	if len(decision.Denials) > 0 || len(decision.Request.Plugins) == 0 || pod.HasNode {
		return nil, "", nil
	}
	if a.cluster.HasCopies != nil && !a.cluster.HasCopies(a.pod.Namespace, decision.Releases) {
		gates = append(gates, annotations.LibraryGate)
	}
	migration, err = a.awaitedMigration(requirement)
	if migration != "" {
		gates = append(gates, annotations.MigrationsGate)
	}
	return gates, migration, err
}

// requireMigrations returns what the pod requires of its database, or nil. If the pod has migrations that kongdao does
// not run, it warns or denies the pod. The pods of Jobs require nothing: the Jobs of Kong's chart run migrations
// themselves (fact K21).
func (a *admission) requireMigrations(decision *Decision) *migrate.Requirement {
	isRelevant := a.cluster.IsMigrated != nil || a.cluster.RunsMigrations
	if !isRelevant || len(decision.Denials) > 0 || len(decision.Request.Plugins) == 0 || a.pod.OwnerKind == "Job" {
		return nil
	}
	requirement, required := migrate.RequirementOf(
		a.pod.Namespace, a.pod.View, decision.Request, decision.Releases)
	if required {
		return &requirement
	}
	problem := migrate.WhyNotMigrated(a.pod.View, decision.Request, decision.Releases)
	switch {
	case problem == "" || !a.cluster.RunsMigrations:
	case a.cluster.RequiresMigrations:
		decision.Patch, decision.Denials = nil, denial.List{denial.New(denial.MigrationsNotRun, "%s", problem)}
	default:
		decision.Warnings = append(decision.Warnings, problem)
	}
	return nil
}

// awaitedMigration names the PluginMigration that the pod has to wait for, "" for none.
func (a *admission) awaitedMigration(requirement *migrate.Requirement) (string, error) {
	if a.cluster.IsMigrated == nil || requirement == nil || a.pod.View.HasGate(annotations.MigrationsGate) {
		return "", nil
	}
	name := requirement.MigrationName()
	migrated, err := a.cluster.IsMigrated(a.pod.Namespace, name)
	if err != nil || migrated {
		return "", err
	}
	return name, nil
}
