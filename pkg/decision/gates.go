package decision

import (
	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/migrate"
)

// gates returns the scheduling gates that the pod must be created with, and the name of the PluginMigration that it
// waits for, "" for none. A pod that is scaled out or rescheduled finds its database migrated and does not wait.
func (a *admission) gates(decision *Decision) (gates []string, migration string, err error) {
	pod := &a.pod.View
	// The API server rejects a pod that has both a node and a gate (fact P1).
	if len(decision.Denials) > 0 || len(decision.Request.Plugins) == 0 || pod.HasNode {
		return nil, "", nil
	}
	if a.cluster.HasCopies != nil && !a.cluster.HasCopies(a.pod.Namespace, decision.Releases) {
		gates = append(gates, annotations.LibraryGate)
	}
	migration, err = a.awaitedMigration(decision)
	if migration != "" {
		gates = append(gates, annotations.MigrationsGate)
	}
	return gates, migration, err
}

// awaitedMigration names the PluginMigration that the pod has to wait for, "" for none. The pods of Jobs do not wait:
// the Jobs of Kong's chart run migrations themselves (fact K21).
func (a *admission) awaitedMigration(decision *Decision) (string, error) {
	if a.cluster.IsMigrated == nil || a.pod.OwnerKind == "Job" || a.pod.View.HasGate(annotations.MigrationsGate) {
		return "", nil
	}
	requirement, required := migrate.RequirementOf(a.pod.Namespace, a.pod.View, decision.Request, decision.Releases)
	if !required {
		return "", nil
	}
	name := requirement.MigrationName()
	migrated, err := a.cluster.IsMigrated(a.pod.Namespace, name)
	if err != nil || migrated {
		return "", err
	}
	return name, nil
}
