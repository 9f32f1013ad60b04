// Package annotations owns every annotation, label and path that kongdao reads or writes. It also parses the request
// of a pod.
//
// Parse always returns a request and a list of denials. The request holds the well-formed part even if another part is
// malformed, so that one response names all problems.
package annotations

// Prefix is the prefix of every kongdao annotation and label.
const Prefix = "kongdao.io/"

// Annotations on pods, and on workloads (Deployments, StatefulSets, DaemonSets). kongdao propagates them from a
// workload to its pod template.
const (
	// Plugins requests plugins. It lists Kong names, separated by commas, each with an optional version:
	// "dao-test", "dao-test@1.1.0, my_plugin". An empty value requests no plugins.
	Plugins = "kongdao.io/plugins"

	// Releases is an annotation of pod templates and pods only: the releases that their plugins were resolved to, in the
	// form of Plugins. It counts for plugins that are requested without a version. "dao-test" without a version is the
	// release without a version. The webhook writes it when a workload is created or its request changes, so that a new
	// release does not change what the workload's pods run.
	Releases = "kongdao.io/releases"

	// PreviousReleases is an annotation of workloads: the value of Releases before the last "kubectl kongdao upgrade", or
	// before the last automatic rollout.
	PreviousReleases = "kongdao.io/previous-releases"

	// Rollout is an annotation of workloads. With "auto", the controller moves the workload to new releases. With
	// "manual", it does not, even if a policy says so.
	Rollout = "kongdao.io/rollout"

	// RolledOut is an annotation of workloads: the releases of the last automatic rollout of each plugin, as a JSON object
	// {"dao-test@1.1.0": "sha256:..."}. The controller does not move a workload to the same release twice.
	RolledOut = "kongdao.io/rolled-out"

	// RolloutStatus is an annotation of workloads: what the last Event about an automatic rollout says.
	RolloutStatus = "kongdao.io/rollout-status"

	// Digests is an annotation of pod templates: the digests of releases whose sources can change, as a JSON object
	// {"dao-test": "sha256:..."}. An automatic rollout writes it, so that the template changes with the sources.
	Digests = "kongdao.io/release-digests"

	// Containers lists the containers and init containers that run Kong, separated by commas: "proxy, wait-for-db".
	// Without it, kongdao detects them by their variables and images.
	Containers = "kongdao.io/containers"

	// Inject opts a pod out of the plugins of policies with the value "false". The pod still gets the plugins that
	// it requests itself.
	Inject = "kongdao.io/inject"

	// Migrations says who migrates the pod's database. With "auto", the default, kongdao runs "up" before the pod
	// starts and "finish" when no older pod is left. With "up", a person runs "finish". With "off", a person runs
	// both. On a PluginMigration it overrides the value of the pods.
	Migrations = "kongdao.io/migrations"

	// MigrationsWith lists the containers and init containers that the migration's Job runs next to Kong, separated by
	// commas, because the database or its password needs them: "cloud-sql-proxy, vault-agent-init".
	MigrationsWith = "kongdao.io/migrations-with"
)

// Propagated returns the names of the annotations that kongdao propagates from a workload to its pod template, sorted.
func Propagated() []string { return []string{Containers, Inject, Migrations, MigrationsWith, Plugins} }

// Scheduling gates. A pod stays Pending until its gates are removed, and can get gates only at creation (fact P1).
const (
	// MigrationsGate holds a pod until its database is migrated.
	MigrationsGate = "kongdao.io/migrations"
	// LibraryGate holds a pod until its copies of a library's sources exist and have the right contents.
	LibraryGate = "kongdao.io/library"
)

// Annotations on PluginMigrations.
const (
	// AcceptEdited with the value "true" accepts an edited migration as executed. Kong compares migrations by name
	// only and never runs an edited migration again (fact K9).
	AcceptEdited = "kongdao.io/accept-edited"
	// IgnoreForeignPods with the value "true" lets "kong migrations finish" run although pods in other namespaces use the
	// database and may need what it removes.
	IgnoreForeignPods = "kongdao.io/ignore-foreign-pods"
)

// Labels on PluginMigrations, their Jobs and the Jobs' pods. Migration is also an annotation on pods that were created
// with the gate for migrations.
const (
	// Database is the key of the database.
	Database = "kongdao.io/database"
	// Migration is the name of the PluginMigration.
	Migration = "kongdao.io/migration"
	// Step is the step that a Job runs: "up" or "finish".
	Step = "kongdao.io/step"
	// Attempt is the number of the Job among the Jobs of its PluginMigration, starting with "1".
	Attempt = "kongdao.io/attempt"
	// Template identifies the pod template that a Job was made from.
	Template = "kongdao.io/template"
	// LeftOut is an annotation of a Job: what its containers had in the pod and cannot have in a Job.
	LeftOut = "kongdao.io/left-out"
)

// The injection record: a label and an annotation on injected pods. They show what was injected. No
// admission decision depends on them. The migration controller reads the releases of a pod there, because the catalog
// may no longer have them. A user who forges the record could also turn off migrations.
const (
	// Injected is a label with the value "true".
	Injected = "kongdao.io/injected"

	// InjectionRecord is an annotation. Its value is JSON with the releases, their digests and their sources:
	//	{"releases":[{"plugin":"dao-test","version":"1.1.0","digest":"sha256:...",
	//	  "migrations":"sha256:...","sources":["dao-test-1.1.0-0f343b0931"]}]}
	InjectionRecord = "kongdao.io/injection"
)

// Labels and annotations on sources: the ConfigMaps with a plugin's files.
const (
	// Plugin is a label: the Kong name of the plugin, "dao-test". A ConfigMap with this label is a source.
	Plugin = "kongdao.io/plugin"

	// PluginVersion is a label, or an annotation if the label is missing: the version of the release, "1.1.0". It is
	// optional: a release without a version is older than all others.
	PluginVersion = "kongdao.io/plugin-version"

	// Path is an annotation: the directory for all keys of the ConfigMap, relative to the plugin's directory:
	// "migrations". "." is the plugin's directory itself. With it, the list in init.lua does not affect the paths.
	Path = "kongdao.io/path"

	// Digest is an annotation: the digest of the whole release, "sha256:" and 64 hexadecimal digits. It detects a
	// release with a missing part or with parts of two packings.
	Digest = "kongdao.io/digest"

	// Force with the value "true" is an annotation: findings of the checks do not deny the release. "pack --force" sets
	// it.
	Force = "kongdao.io/force"
)

// Labels and annotations on copies: the ConfigMaps that carry a library's release to the namespaces of its pods. The
// label kongdao.io/plugin of a copy is empty, so that a copy is not a source.
const (
	// CopyOf is a label: the plugin.
	CopyOf = "kongdao.io/copy-of"
	// Origin is an annotation: the library's namespace and the release, "plugins/dao-test@1.1.0".
	Origin = "kongdao.io/origin"
)

// Annotations on the Secret with the webhook's certificate.
const (
	// Rotate with any value requests a new CA and certificate now. kongdao removes it when the rotation starts.
	Rotate = "kongdao.io/rotate"
)

// Paths in a Kong container.
const (
	// PluginsFolder holds one directory for each plugin. Lua's require turns each dot of a module name into a slash,
	// so "kong.plugins.NAME.handler" is the file /opt/kong/plugins/NAME/handler.lua (fact K1).
	PluginsFolder = "/opt/kong/plugins"

	// MigrationsFolder is the directory of the migrations in the plugin's directory.
	MigrationsFolder = "migrations"
)
