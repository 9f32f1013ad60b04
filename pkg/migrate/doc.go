// Package migrate plans the migration of databases: which migrations a pod requires, what to do next, and the Job that
// runs them.
//
//	pod, releases           --RequirementOf-->  Requirement: a database and the plugins that have migrations
//	pods, migrations, Jobs  --Snapshot.Plan-->  Plan: gates to remove, one Job to start, status updates
//	pod, migration          --NewJob-->         the Job, whose script reports the result
//
// A migration here is a PluginMigration: one database and one set of plugins. Only Kong knows which migrations are
// executed, and `kong migrations up` can exit 0 without doing anything (fact K10). The script therefore succeeds only
// if `kong migrations list` names every migration as executed or pending.
//
// The package is pure: it has no client, no clock and no context. Package migratecontroller reads the snapshots and
// applies the plans.
package migrate
