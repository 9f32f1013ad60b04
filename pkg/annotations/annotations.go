// Package annotations owns every annotation, label and path that kongdao
// reads or writes, and the parsing of what a pod asks for.
//
// Parse always yields a request and a list of what is wrong with it: what
// could be understood stands in the request even where something else could
// not, so that one answer names every mistake.
package annotations

// Prefix begins the name of every annotation and label of ours.
const Prefix = "kongdao.io/"

// On pods, and on the workloads (Deployment, StatefulSet, DaemonSet) whose pod
// templates they are carried into.
const (
	// Plugins asks for plugins, separated by commas, each a Kong name and
	// maybe a version: "dao-test", "dao-test@1.1.0, my_plugin". An empty value
	// asks for nothing.
	Plugins = "kongdao.io/plugins"

	// Containers names the containers and init containers that run Kong,
	// separated by commas: "proxy, wait-for-db". Without it they are found by
	// their variables and images.
	Containers = "kongdao.io/containers"

	// Inject lets a pod do without what policies give to gateways that did not ask
	// for it: "false". What the pod itself asks for it gets all the same.
	Inject = "kongdao.io/inject"

	// Migrations says who migrates the pod's database: "auto", as without it,
	// has kongdao run "up" before the pod starts and "finish" when no older pod
	// is left; "up" leaves "finish" to a person; "off" leaves both. On a
	// PluginMigration it overrules what the pods say.
	Migrations = "kongdao.io/migrations"
)

// Propagated lists the annotations of a workload that are carried into its pod
// template, sorted.
func Propagated() []string { return []string{Containers, Inject, Migrations, Plugins} }

// MigrationsGate is the name of the scheduling gate of a pod whose database is
// not known to be migrated (fact P1).
const MigrationsGate = "kongdao.io/migrations"

// On PluginMigrations.
const (
	// AcceptEdited is an annotation: with the value "true" a migration that was
	// executed from another file than the plugin now has (fact K9) is taken for
	// executed all the same.
	AcceptEdited = "kongdao.io/accept-edited"
)

// On what is made for a migration: PluginMigrations, Jobs and the Jobs' pods.
const (
	// Database is a label: the key of the database.
	Database = "kongdao.io/database"
	// Migration is a label: the name of the PluginMigration.
	Migration = "kongdao.io/migration"
	// Step is a label of a Job: "up" or "finish".
	Step = "kongdao.io/step"
	// Attempt is a label of a Job: which one of its PluginMigration's it is, "1".
	Attempt = "kongdao.io/attempt"
)

// Marks that an injection leaves on the pod. They tell people and tools what
// was done; no injection ever decides by them. The controller of migrations
// reads there which release a pod was given, for that may be gone from the
// catalog; who may forge it may as well switch migrations off.
const (
	// Injected is a label: "true".
	Injected = "kongdao.io/injected"

	// Injection is an annotation: JSON with the releases, their digests and
	// the sources they came from:
	// {"releases":[{"plugin":"dao-test","version":"1.1.0","digest":"sha256:...","migrations":"sha256:...","sources":["dao-test-1.1.0-0f343b0931"]}]}.
	InjectionRecord = "kongdao.io/injection"
)

// On sources: the ConfigMaps that carry a plugin's files.
const (
	// Plugin is a label: the Kong name of the plugin that the ConfigMap
	// carries files of, "dao-test". It makes a ConfigMap a source.
	Plugin = "kongdao.io/plugin"

	// PluginVersion is a label (or, where there is no such label, an
	// annotation): the version of the release that the files belong to,
	// "1.1.0". Optional while a plugin has only one release in the namespace.
	PluginVersion = "kongdao.io/plugin-version"

	// Path is an annotation: the folder, below the plugin's own, that all keys
	// of the ConfigMap go to: "migrations". "." is the plugin's own folder.
	// With it no key is routed by what init.lua lists.
	Path = "kongdao.io/path"

	// Digest is an annotation: the digest of the whole release that the
	// ConfigMap is a part of, "sha256:" and 64 hexadecimal digits. With it a
	// release that lacks a part, or mixes two packings, is noticed.
	Digest = "kongdao.io/digest"
)

// On copies: the ConfigMaps that carry a library's release to the namespaces of
// its pods. Their label kongdao.io/plugin is empty, so that they are nobody's
// sources.
const (
	// CopyOf is a label: the plugin.
	CopyOf = "kongdao.io/copy-of"
	// Origin is an annotation: the library's namespace and the release,
	// "plugins/dao-test@1.1.0".
	Origin = "kongdao.io/origin"
	// LibraryGate is the name of the scheduling gate of a pod whose copies are not
	// there yet, or are not what they should be.
	LibraryGate = "kongdao.io/library"
)

// On the Secret that holds the webhook's certificate.
const (
	// Rotate is an annotation: with any value it asks for a new CA and
	// certificate before their time, "now". It is taken off when that begins.
	Rotate = "kongdao.io/rotate"
)

// Where Kong finds a plugin in its container (fact K1).
const (
	// PluginsFolder holds one folder a plugin: Lua's require of
	// "kong.plugins.NAME.handler" along LuaPackagePath leads here.
	PluginsFolder = "/opt/kong/plugins"

	// MigrationsFolder is the folder of the migrations in a plugin's own.
	MigrationsFolder = "migrations"
)
