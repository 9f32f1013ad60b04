package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PluginMigration brings one database up to what one set of plugins needs. It is
// made by the controller for pods that need it. Deleting one has it tried again,
// as long as there are such pods.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=kongdao,shortName=pm
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Plugins",type=string,JSONPath=`.spec.request`
// +kubebuilder:printcolumn:name="Database",type=string,JSONPath=`.spec.database.description`
// +kubebuilder:printcolumn:name="Job",type=string,JSONPath=`.status.job`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`
type PluginMigration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What has to be migrated: it never changes.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="what has to be migrated never changes: delete this PluginMigration to have it tried again"
	Spec PluginMigrationSpec `json:"spec"`
	// How far it is.
	Status PluginMigrationStatus `json:"status,omitempty"`
}

// PluginMigrationList is several of them.
//
// +kubebuilder:object:root=true
type PluginMigrationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PluginMigration `json:"items"`
}

// PluginMigrationSpec says which database needs which migrations.
type PluginMigrationSpec struct {
	// The releases, as a pod asks for them: "dao-test@1.1.0, my_plugin".
	// +kubebuilder:validation:MinLength=1
	Request string `json:"request"`
	// The database.
	Database Database `json:"database"`
	// The plugins that bring migrations, sorted by name.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	Plugins []PluginMigrations `json:"plugins"`
	// The image of Kong in the pod that this was made for.
	Image string `json:"image,omitempty"`
}

// Database is what a Kong container's KONG_PG_* variables point to: each either
// a value, or the place that it comes from, which is never read.
type Database struct {
	// Tells databases apart: 16 hexadecimal digits.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{16}$`
	Key string `json:"key"`
	// The others in one line: "postgres:5432/kong".
	Description string `json:"description"`
	// KONG_PG_HOST.
	Host string `json:"host"`
	// KONG_PG_PORT.
	Port string `json:"port"`
	// KONG_PG_DATABASE.
	Name string `json:"name"`
	// KONG_PG_SCHEMA, empty for PostgreSQL's own choice.
	Schema string `json:"schema,omitempty"`
}

// PluginMigrations are those of one plugin.
type PluginMigrations struct {
	// The plugin's Kong name.
	Name string `json:"name"`
	// The version of the release, empty where it has none.
	Version string `json:"version,omitempty"`
	// The digest of the release.
	Release string `json:"release"`
	// The digest of the release's migrations.
	Digest string `json:"digest"`
	// The migrations, in the order in which Kong runs them; none where only Lua
	// could tell their names.
	// +listType=atomic
	Migrations []Migration `json:"migrations,omitempty"`
}

// Migration is one of a plugin's.
type Migration struct {
	// Its name, as Kong lists it.
	Name string `json:"name"`
	// The digest of its file.
	Digest string `json:"digest"`
}

// Phase is how far a PluginMigration is, in one word.
//
// +kubebuilder:validation:Enum=Waiting;Migrating;Migrated;Finishing;Finished;Held;Failed
type Phase string

// The phases.
const (
	// Waiting: something has to happen before; the message says what.
	Waiting Phase = "Waiting"
	// Migrating: the Job runs "kong migrations up".
	Migrating Phase = "Migrating"
	// Migrated: Kong has named every migration; some wait to be finished.
	Migrated Phase = "Migrated"
	// Finishing: the Job runs "kong migrations finish".
	Finishing Phase = "Finishing"
	// Finished: nothing is left to do.
	Finished Phase = "Finished"
	// Held: running it would hide trouble.
	Held Phase = "Held"
	// Failed: the Job has failed, and would again.
	Failed Phase = "Failed"
)

// The types of conditions.
const (
	// ConditionMigrated is true once Kong itself has named every migration as
	// executed or pending. It stays so.
	ConditionMigrated = "Migrated"
	// ConditionFinished is true once none of them is pending.
	ConditionFinished = "Finished"
)

// The reasons of conditions.
const (
	// ReasonVerified: Kong has named the migrations.
	ReasonVerified = "Verified"
	// ReasonNotStarted: nothing has been tried yet.
	ReasonNotStarted = "NotStarted"
	// ReasonRunning: the Job runs.
	ReasonRunning = "Running"
	// ReasonOtherRuns: another Job runs on the database.
	ReasonOtherRuns = "OtherJobRuns"
	// ReasonPendingFirst: migrations that are pending have to be finished before.
	ReasonPendingFirst = "PendingMigrations"
	// ReasonOlderPods: pods run that need what finishing may take away.
	ReasonOlderPods = "OlderPods"
	// ReasonNotReady: pods that carry the migrations are not ready.
	ReasonNotReady = "PodsNotReady"
	// ReasonNoPods: no pod runs to take the Job's container from.
	ReasonNoPods = "NoPods"
	// ReasonManual: annotation kongdao.io/migrations leaves it to a person.
	ReasonManual = "LeftToAPerson"
	// ReasonUnreachable: the database did not answer in time; it is tried again.
	ReasonUnreachable = "DatabaseUnreachable"
	// ReasonEdited: a migration was executed from another file.
	ReasonEdited = "EditedMigration"
	// ReasonNotListed: Kong does not see migrations of the plugin.
	ReasonNotListed = "NotListed"
	// ReasonJobFailed: the Job has failed otherwise; the last words say why.
	ReasonJobFailed = "JobFailed"
)

// PluginMigrationStatus says how far a PluginMigration is.
type PluginMigrationStatus struct {
	// In one word.
	Phase Phase `json:"phase,omitempty"`
	// What it waits for, or what is wrong, and the way out.
	Message string `json:"message,omitempty"`
	// The Job that runs, or ran last.
	Job string `json:"job,omitempty"`
	// How many Jobs there were.
	Attempts int32 `json:"attempts,omitempty"`
	// The migrations that "up" left pending, a line a plugin: "dao-test: 001_100_to_110".
	// +listType=atomic
	Pending []string `json:"pending,omitempty"`
	// Migrations of others that were pending when "up" was tried, and have to be finished before.
	// +listType=atomic
	Blocked []string `json:"blocked,omitempty"`
	// What Kong said last, where it failed.
	LastWords string `json:"lastWords,omitempty"`
	// When the last Job was started.
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// When Kong had named every migration.
	MigratedTime *metav1.Time `json:"migratedTime,omitempty"`
	// When none was pending any more.
	FinishedTime *metav1.Time `json:"finishedTime,omitempty"`
	// When it is tried again, after the database did not answer.
	RetryTime *metav1.Time `json:"retryTime,omitempty"`
	// The conditions Migrated and Finished.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
