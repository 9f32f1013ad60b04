// Package migratecontroller migrates databases. It reads snapshots, lets package migrate plan, and applies the plans.
//
//	pods                    --clusterstate.InjectedPods--+
//	PluginMigrations, Jobs  -----------------------------+--> migrate.Snapshot --> migrate.Plan --> API server
//
// A reconcile key is a database in one namespace. The first plan uses the cache. If it does more than remove gates, the
// controller reads the API server and plans again, because the cache may be older than the last change of the
// controller. Before it starts a Job, it also reads all pods of the namespace, because pods that were never injected
// are not in the cache. Only the leader runs the controller.
package migratecontroller
