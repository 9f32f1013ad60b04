package migrate

import (
	"fmt"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
)

// editedFiles describes the migrations whose files changed after Kong executed them. Kong compares migrations by name
// only: it never runs an edited migration again, and does not report it (fact K9).
func (p *planner) editedFiles(migration *v1alpha1.PluginMigration) []string {
	var edited []string
	for _, plugin := range migration.Spec.Plugins {
		for _, file := range plugin.Migrations {
			executed := p.executedDigest(plugin.Name, file.Name)
			if executed != "" && file.Digest != "" && executed != file.Digest {
				edited = append(edited, fmt.Sprintf(
					"Plugin %q: Kong executed migration %s from a file with digest %s, but the file now has digest %s",
					plugin.Name, denial.Quote(file.Name), executed, file.Digest))
			}
		}
	}
	return edited
}

// executedDigest returns the digest of the file that Kong executed a migration from. It returns "" if no
// PluginMigration has it.
func (p *planner) executedDigest(plugin, name string) string {
	if last := p.lastMigratedWith(plugin, name); last != nil {
		return fileDigest(last, plugin, name)
	}
	return ""
}

// lastMigratedWith returns the migration that was migrated last of those that have a migration of a plugin. It returns
// nil if there is none.
func (p *planner) lastMigratedWith(plugin, name string) *v1alpha1.PluginMigration {
	var last *v1alpha1.PluginMigration
	for _, migration := range p.migrations {
		if IsMigrated(migration) && fileDigest(migration, plugin, name) != "" &&
			(last == nil || last.Status.MigratedTime.Before(migration.Status.MigratedTime)) {
			last = migration
		}
	}
	return last
}

// fileDigest returns the digest that a PluginMigration has for a migration of a plugin, or "".
func fileDigest(migration *v1alpha1.PluginMigration, plugin, name string) string {
	for _, known := range migration.Spec.Plugins {
		if known.Name != plugin {
			continue
		}
		for _, file := range known.Migrations {
			if file.Name == name {
				return file.Digest
			}
		}
	}
	return ""
}
