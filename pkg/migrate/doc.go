// Package migrate owns the migration of databases: which one a pod needs, what
// has to be done next, and the Job that does it.
//
//	pod, releases    --RequirementOf-->  Requirement: a database and a set of migrations
//	Requirement, records    --known?-->  a scheduling gate, or none (pkg/admission)
//	pods, records, Jobs  --Snapshot.Plan-->  Plan: gates to lift, one Job to start, statuses
//	pod, record      --NewJob-->  the Job, whose script says how it ended
//
// A record is a PluginMigration: one database and one set of migrations. What is
// executed of it, and in which order, only Kong says (K10): the script ends well
// when "kong migrations list" has named every migration as executed or pending.
//
// The package is pure: no client, no clock, no context. pkg/migratecontroller
// gathers the world and does what the plan says.
package migrate
