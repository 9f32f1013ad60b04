package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PluginMigration migrates one database for one set of plugins. The controller creates it when a pod requires these
// migrations. Delete a PluginMigration to try it again: the controller creates a new one while pods require it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=kongdao,shortName=kdmig
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Plugins",type=string,JSONPath=`.spec.request`
// +kubebuilder:printcolumn:name="Database",type=string,JSONPath=`.spec.database.description`
// +kubebuilder:printcolumn:name="Job",type=string,JSONPath=`.status.job`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`
type PluginMigration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the database and the migrations that it needs. It is immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec is immutable; to try again, delete the object"
	Spec PluginMigrationSpec `json:"spec"`
	// Status is what the controller last observed. It is read-only.
	// +kubebuilder:default={"observedGeneration":-1}
	Status PluginMigrationStatus `json:"status,omitempty"`
}

// PluginMigrationList is a list of PluginMigration objects.
//
// +kubebuilder:object:root=true
type PluginMigrationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PluginMigration `json:"items"`
}

// PluginMigrationSpec is the database and the migrations that it needs.
type PluginMigrationSpec struct {
	// Request lists the plugins as the annotation of a pod does: "dao-test@1.1.0, my_plugin".
	// +kubebuilder:validation:MinLength=1
	Request string `json:"request"`
	// Database is the database to migrate.
	Database Database `json:"database"`
	// Plugins are the plugins that have migrations, sorted by name.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	Plugins []PluginMigrations `json:"plugins"`
	// Image is the Kong image of the pod that this PluginMigration was created for.
	Image string `json:"image,omitempty"`
}

// Database identifies a database by the KONG_PG_* variables of a Kong container. Each field is the value of a variable,
// or a reference to the Secret or ConfigMap that holds the value. The controller does not read Secrets or ConfigMaps.
type Database struct {
	// Key identifies the database. It has 16 hexadecimal digits.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{16}$`
	Key string `json:"key"`
	// Description is a summary of the other fields: "postgres:5432/kong".
	Description string `json:"description"`
	// Host is the value of KONG_PG_HOST.
	Host string `json:"host"`
	// Port is the value of KONG_PG_PORT.
	Port string `json:"port"`
	// Name is the value of KONG_PG_DATABASE.
	Name string `json:"name"`
	// Schema is the value of KONG_PG_SCHEMA. If empty, PostgreSQL chooses the schema.
	Schema string `json:"schema,omitempty"`
}

// PluginMigrations are the migrations of one release of a plugin.
type PluginMigrations struct {
	// Name is the name of the plugin in Kong, for example "dao-test".
	Name string `json:"name"`
	// Version is the version of the release. It is empty if the release has none.
	Version string `json:"version,omitempty"`
	// ReleaseDigest is the digest of all files of the release.
	ReleaseDigest string `json:"releaseDigest"`
	// MigrationsDigest is the digest of the migrations of the release.
	MigrationsDigest string `json:"migrationsDigest"`
	// Migrations lists the migrations in the order in which Kong runs them. It is empty if only Lua code knows their
	// names.
	// +listType=atomic
	Migrations []Migration `json:"migrations,omitempty"`
}

// Migration is one migration of a plugin.
type Migration struct {
	// Name is the name that "kong migrations list" prints.
	Name string `json:"name"`
	// Digest is the digest of the file of the migration.
	Digest string `json:"digest"`
}

// Phase summarizes the state of a PluginMigration.
//
// +kubebuilder:validation:Enum=Waiting;Migrating;Migrated;Finishing;Finished;Held;Failed
type Phase string

// The phases of a PluginMigration.
const (
	// PhaseWaiting: no Job can start yet. The message says why.
	PhaseWaiting Phase = "Waiting"
	// PhaseMigrating: a Job runs "kong migrations up".
	PhaseMigrating Phase = "Migrating"
	// PhaseMigrated: Kong lists every migration. Some are pending: "kong migrations finish" has not run yet.
	PhaseMigrated Phase = "Migrated"
	// PhaseFinishing: a Job runs "kong migrations finish".
	PhaseFinishing Phase = "Finishing"
	// PhaseFinished: no migration is pending.
	PhaseFinished Phase = "Finished"
	// PhaseHeld: the controller does not start a Job until a person decides. The message says what to do.
	PhaseHeld Phase = "Held"
	// PhaseFailed: a Job failed, and would fail again. The message says what to do.
	PhaseFailed Phase = "Failed"
)

// Phases returns all phases of a PluginMigration.
func Phases() []Phase {
	return []Phase{
		PhaseWaiting, PhaseMigrating, PhaseMigrated, PhaseFinishing, PhaseFinished, PhaseHeld, PhaseFailed,
	}
}

// The condition types that only a PluginMigration has.
const (
	// ConditionMigrated is True when Kong lists every migration as executed or pending. It then stays True.
	ConditionMigrated = "Migrated"
	// ConditionFinished is True when no migration is pending.
	ConditionFinished = "Finished"
)

// The reasons of the conditions of a PluginMigration.
const (
	// ReasonVerified: Kong lists the migrations.
	ReasonVerified = "Verified"
	// ReasonNotStarted: no Job has started yet.
	ReasonNotStarted = "NotStarted"
	// ReasonCannotStart: the Job or its pod cannot be created, or the pod cannot start. The controller tries again.
	ReasonCannotStart = "CannotStart"
	// ReasonJobStarting: the Job was created, and its pod does not run yet.
	ReasonJobStarting = "JobStarting"
	// ReasonJobRunning: Kong runs in the pod of the Job.
	ReasonJobRunning = "JobRunning"
	// ReasonOtherJobRunning: another Job uses the database.
	ReasonOtherJobRunning = "OtherJobRunning"
	// ReasonPendingMigrations: other migrations are pending and must be finished first.
	ReasonPendingMigrations = "PendingMigrations"
	// ReasonOlderPods: running pods may need what "kong migrations finish" removes.
	ReasonOlderPods = "OlderPods"
	// ReasonPodsNotReady: pods that have the migrations are not ready.
	ReasonPodsNotReady = "PodsNotReady"
	// ReasonSettling: "kong migrations finish" starts soon, if the pods allow it until then.
	ReasonSettling = "Settling"
	// ReasonNoPods: there is no pod that the Job could be made from.
	ReasonNoPods = "NoPods"
	// ReasonNamespaceExcluded: the installation of kongdao excludes the namespace.
	ReasonNamespaceExcluded = "NamespaceExcluded"
	// ReasonManualFinish: the annotation kongdao.io/migrations leaves "kong migrations finish" to you.
	ReasonManualFinish = "ManualFinish"
	// ReasonDatabaseUnreachable: the database did not answer in time. The controller tries again.
	ReasonDatabaseUnreachable = "DatabaseUnreachable"
	// ReasonOnHold: the annotation kongdao.io/migrations of the PluginMigration is "off".
	ReasonOnHold = "OnHold"
	// ReasonEditedMigration: a file of a migration changed after Kong executed the migration.
	ReasonEditedMigration = "EditedMigration"
	// ReasonMigrationsNotListed: Kong does not list the migrations of the plugin.
	ReasonMigrationsNotListed = "MigrationsNotListed"
	// ReasonPluginNotLoadable: Kong cannot load the plugins. The database is untouched.
	ReasonPluginNotLoadable = "PluginNotLoadable"
	// ReasonResultLost: the Job is complete, but the pod with its result is gone. The controller tries again.
	ReasonResultLost = "ResultLost"
	// ReasonJobFailed: the Job failed for another reason. The last output of Kong says why.
	ReasonJobFailed = "JobFailed"
)

// PluginMigrationStatus is the observed state of a PluginMigration.
type PluginMigrationStatus struct {
	// ObservedGeneration is the metadata.generation that the controller last reconciled. It is -1 before that.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Phase summarizes the state of the migration.
	Phase Phase `json:"phase,omitempty"`
	// Message says what the migration waits for, or what is wrong and what to do.
	Message string `json:"message,omitempty"`
	// Job is the name of the Job that runs or ran last.
	Job string `json:"job,omitempty"`
	// Attempts is the number of Jobs that the controller has started.
	Attempts int32 `json:"attempts,omitempty"`
	// Pending lists the migrations that "kong migrations up" left pending. Each entry is a plugin with its migrations:
	// "dao-test: 001_100_to_110".
	// +listType=atomic
	Pending []string `json:"pending,omitempty"`
	// BlockedBy lists the pending migrations that must be finished before "kong migrations up" can run.
	// +listType=atomic
	BlockedBy []string `json:"blockedBy,omitempty"`
	// LastOutput is the last output of Kong in a Job that failed.
	LastOutput string `json:"lastOutput,omitempty"`
	// StartTime is when the last Job started.
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// MigratedTime is when Kong first listed every migration.
	MigratedTime *metav1.Time `json:"migratedTime,omitempty"`
	// FinishedTime is when Kong first listed no pending migration.
	FinishedTime *metav1.Time `json:"finishedTime,omitempty"`
	// RetryTime is when the next Job can start after a Job that timed out.
	RetryTime *metav1.Time `json:"retryTime,omitempty"`
	// Conditions are Ready, Migrated and Finished. Reconciling and Stalled are present only while they are True. Pods that
	// wait for the migration start when Migrated is True.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
