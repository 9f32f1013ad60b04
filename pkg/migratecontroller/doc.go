// Package controller owns the doing of migrations: the shell around package
// migrate.
//
//	pods -> clusterstate.InjectedPods, by database --+
//	PluginMigrations, Jobs --------------+-> gather -> migrate.Snapshot -> Plan -> do
//
// One reconciliation is about one database in one namespace. A plan is made of
// what the cache holds; where it says more than to lift gates it is made again
// of what the API server holds, and before a Job is started of all pods of the
// namespace too. Only the leader does it.
package migratecontroller
