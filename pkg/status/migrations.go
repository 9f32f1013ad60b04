package status

import (
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// addMigrations adds to each workload the migrations of its releases.
func (s *summarizer) addMigrations(migrations []v1alpha1.PluginMigration) {
	byNamespace := map[string][]*v1alpha1.PluginMigration{}
	for i := range migrations {
		byNamespace[migrations[i].Namespace] = append(byNamespace[migrations[i].Namespace], &migrations[i])
	}
	for _, w := range s.sorted() {
		for _, migration := range byNamespace[w.Namespace] {
			if w.needs(migration) {
				w.addMigration(migration)
			}
		}
	}
}

// needs reports whether a migration is for exactly those releases of a workload that have migrations.
func (w *Workload) needs(migration *v1alpha1.PluginMigration) bool {
	return !slices.ContainsFunc(migration.Spec.Plugins, func(plugin v1alpha1.PluginMigrations) bool {
		return !slices.ContainsFunc(w.Releases, func(release Release) bool {
			return release.Plugin == plugin.Name && release.Digest == plugin.ReleaseDigest
		})
	})
}

func (w *Workload) addMigration(migration *v1alpha1.PluginMigration) {
	w.Migrations = append(w.Migrations, Migration{
		Name: migration.Name, Phase: migration.Status.Phase, Database: migration.Spec.Database.Description,
		Message: migration.Status.Message,
	})
	switch migration.Status.Phase {
	case v1alpha1.PhaseFailed, v1alpha1.PhaseHeld:
		w.State = Problem
		w.Messages = slices.Insert(w.Messages, 0, fmt.Sprintf("PluginMigration %q is %s: %s",
			migration.Name, migration.Status.Phase, migration.Status.Message))
	}
}

// addPolicies adds what policies would change.
func (s *summarizer) addPolicies(policies []v1alpha1.PluginPolicy) {
	for i := range policies {
		for _, reference := range policies[i].Status.WorkloadsToRestart {
			key := workloadKey{reference.Namespace, reference.Kind, reference.Name}
			if w := s.byKey[key]; w != nil {
				w.Messages = append(w.Messages, fmt.Sprintf("policy %q changed: restart the workload to apply it",
					policies[i].Name))
			}
		}
	}
}
