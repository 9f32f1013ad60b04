package v1alpha1

// The condition types that all kinds have. kstatus expects them, together with observedGeneration (fact P9).
// ConditionReconciling and ConditionStalled are present only while they are True.
const (
	// ConditionReady is True if the object has its full effect. For a PluginPolicy: it is valid, and API servers call
	// the webhook for its pods. For a PluginMigration: it is migrated, and no Job runs or failed.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the controller works on the object.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True if the controller cannot continue until a person acts.
	ConditionStalled = "Stalled"
)
