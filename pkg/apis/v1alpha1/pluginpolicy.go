package v1alpha1

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PluginPolicy defines, for the whole cluster, the plugins that Kong pods get
// without an annotation, the plugins that annotations may request, and the
// libraries that plugins may come from.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=kongdao,shortName=kdpol,path=pluginpolicies
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Injected",type=integer,JSONPath=`.status.injected`
// +kubebuilder:printcolumn:name="Outdated",type=integer,JSONPath=`.status.outdated`
// +kubebuilder:printcolumn:name="Opted out",type=integer,JSONPath=`.status.optedOut`
// +kubebuilder:printcolumn:name="Denied",type=integer,JSONPath=`.status.denied`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Denials",type=string,JSONPath=`.status.conditions[?(@.type=="PodsDenied")].message`,priority=1
type PluginPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the desired behavior of the policy.
	Spec PluginPolicySpec `json:"spec"`
	// Status is what the controller last observed. It is read-only.
	Status PluginPolicyStatus `json:"status,omitempty"`
}

// PluginPolicyList is a list of PluginPolicy objects.
//
// +kubebuilder:object:root=true
type PluginPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PluginPolicy `json:"items"`
}

// PluginPolicySpec is the desired behavior of a PluginPolicy.
//
// +kubebuilder:validation:XValidation:rule="has(self.plugins) && size(self.plugins) > 0 || has(self.allowed) && size(self.allowed) > 0 || has(self.library)",message="a policy needs at least one of plugins, allowed and library; without them it has no effect"
type PluginPolicySpec struct {
	// Mode is Enforce or Audit. Enforce applies the policy. Audit changes no pod and reports the effect of Enforce.
	// +kubebuilder:validation:Enum=Enforce;Audit
	// +kubebuilder:default=Enforce
	Mode PolicyMode `json:"mode,omitempty"`
	// NamespaceSelector selects the namespaces of the policy by their labels. If unset, it selects all namespaces.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="the operator of an expression must be In or NotIn with values, or Exists or DoesNotExist without values"
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// PodSelector selects, by their labels, the Kong pods in these namespaces that get the plugins. If unset, it selects
	// all of them. The field allowed ignores this selector: it applies to every pod in the namespaces.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="the operator of an expression must be In or NotIn with values, or Exists or DoesNotExist without values"
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// Plugins are the plugins that every selected Kong pod gets, as if its annotation requested them.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Plugins []PolicyPlugin `json:"plugins,omitempty"`
	// Allowed lists the plugins that annotations may request in the selected namespaces. Each entry is a name, or a name,
	// "@" and a version. In both, "*" matches any text: "dao-*", "dao-test@1.*". A name without a version allows every
	// version. If the list is empty, the policy allows every plugin.
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=127
	// +kubebuilder:validation:items:Pattern=`^[-_*A-Za-z0-9]{1,63}(@[-_.*A-Za-z0-9]{1,63})?$`
	// +listType=atomic
	Allowed []string `json:"allowed,omitempty"`
	// Library is a namespace. Pods in the selected namespaces may use plugins from its ConfigMaps.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Library string `json:"library,omitempty"`
	// OptOut states whether the annotation kongdao.io/inject: "false" exempts a pod from the plugins.
	// +kubebuilder:default=true
	OptOut *bool `json:"optOut,omitempty"`
	// Rollout is Auto or Manual. With Auto, kongdao moves Deployments, StatefulSets and DaemonSets to new releases of the
	// plugins that have no version in this policy. This needs the chart value rollouts.enabled. The annotation
	// kongdao.io/rollout of a workload overrides it.
	// +kubebuilder:validation:Enum=Auto;Manual
	// +kubebuilder:default=Manual
	Rollout PolicyRollout `json:"rollout,omitempty"`
}

// PolicyPlugin is a plugin that a policy gives to pods.
type PolicyPlugin struct {
	// Name is the name of the plugin in Kong, for example "dao-test".
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-_A-Za-z0-9]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="!(self in ['bundled', 'off'])",message="bundled and off are keywords of KONG_PLUGINS, not plugin names"
	Name string `json:"name"`
	// Version is the version that pods get, for example "1.1.0". If unset, the annotation of the pod or another policy
	// chooses the version. If they do not, new workloads get the newest release.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$`
	Version string `json:"version,omitempty"`
}

// PolicyMode states whether a policy is applied or only audited.
type PolicyMode string

// The modes of a policy.
const (
	Enforce PolicyMode = "Enforce"
	Audit   PolicyMode = "Audit"
)

// PolicyRollout states whether workloads move to new releases by themselves.
type PolicyRollout string

// The kinds of rollouts.
const (
	RolloutAuto   PolicyRollout = "Auto"
	RolloutManual PolicyRollout = "Manual"
)

// ConditionPodsDenied is the condition type that is True if the policy denied pods in the last hour, or would have
// denied them with mode Enforce. Ready does not depend on it.
const ConditionPodsDenied = "PodsDenied"

// The reasons of the conditions of a PluginPolicy.
const (
	// ReasonEnforced (Ready) means that the policy is applied to new pods.
	ReasonEnforced = "Enforced"
	// ReasonAudited (Ready) means that the policy only reports the effect that it would have.
	ReasonAudited = "Audited"
	// ReasonInvalid (Ready, Stalled) means that the policy has an invalid field, so it has no effect.
	ReasonInvalid = "Invalid"
	// ReasonWebhookNotCalled (Ready, Reconciling, Stalled) means that API servers do not call the webhook for pods
	// without an annotation, because the webhook configuration cannot be written.
	ReasonWebhookNotCalled = "WebhookNotCalled"
	// ReasonDenied (PodsDenied) means that the policy denied pods.
	ReasonDenied = "Denied"
	// ReasonWouldDeny (PodsDenied) means that the policy would have denied pods with mode Enforce.
	ReasonWouldDeny = "WouldDeny"
	// ReasonNoneDenied (PodsDenied) means that the policy denied no pods in the last hour.
	ReasonNoneDenied = "NoneDenied"
)

// PluginPolicyStatus is what the controller last observed for a PluginPolicy.
type PluginPolicyStatus struct {
	// Namespaces is the number of selected namespaces.
	// +optional
	Namespaces int32 `json:"namespaces"`
	// Pods is the number of selected Kong pods.
	// +optional
	Pods int32 `json:"pods"`
	// Injected is the number of these pods that have all plugins of the policy.
	// +optional
	Injected int32 `json:"injected"`
	// OptedOut is the number of these pods that opted out.
	// +optional
	OptedOut int32 `json:"optedOut"`
	// Outdated is the number of these pods that do not have all plugins of the policy in the right version, because they
	// were created without it. Restart their workloads. With mode Audit, it is the number of pods that would change.
	// +optional
	Outdated int32 `json:"outdated"`
	// EnforcedSince is when the controller first saw that the policy, in its present generation, is enforced for new
	// pods.
	EnforcedSince *metav1.Time `json:"enforcedSince,omitempty"`
	// Uninjected is the number of outdated pods that were created after EnforcedSince, and have no plugins at all. The
	// API server did not call kongdao for them, or the policy selects their namespace only since then. The Event
	// PluginsMissing names each of them.
	// +optional
	Uninjected int32 `json:"uninjected"`
	// Releases lists up to 50 releases of the policy's plugins that these pods have. Without a version in the policy,
	// there can be several releases of a plugin.
	// +listType=map
	// +listMapKey=release
	Releases []ReleasePods `json:"releases,omitempty"`
	// Denied is the number of workloads whose pods the policy denied in the last hour. With mode Audit, it is the number
	// of workloads whose pods it would have denied.
	// +optional
	Denied int32 `json:"denied"`
	// Denials lists, for each replica of kongdao, the workloads that count as denied.
	// +listType=map
	// +listMapKey=replica
	Denials []PolicyDenials `json:"denials,omitempty"`
	// WorkloadsToRestart lists up to 20 workloads with outdated pods.
	// +listType=atomic
	WorkloadsToRestart []WorkloadReference `json:"workloadsToRestart,omitempty"`
	// Rollouts lists up to 20 workloads that moved to new releases because of the field rollout, or that wait to move.
	// +listType=atomic
	Rollouts []WorkloadRollout `json:"rollouts,omitempty"`
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Ready and PodsDenied, and Reconciling or Stalled while they are True.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ReleasePods is the number of pods that have a release.
type ReleasePods struct {
	// Release is a plugin and its version: "dao-test@1.1.0".
	Release string `json:"release"`
	// Pods is the number of pods.
	Pods int32 `json:"pods"`
}

// WorkloadRollout is the last automatic rollout of a workload.
type WorkloadRollout struct {
	WorkloadReference `json:",inline"`
	// Status is the annotation kongdao.io/rollout-status of the workload: what moved, or why it waits or failed.
	Status string `json:"status"`
}

// PolicyDenials are the denials that one replica of kongdao reports for a policy.
type PolicyDenials struct {
	// Replica is the name of the replica's pod.
	Replica string `json:"replica"`
	// Time is when the replica wrote this entry.
	Time metav1.Time `json:"time"`
	// Workloads lists the workloads whose pods the replica denied, or would have denied with mode Enforce.
	// +listType=atomic
	Workloads []WorkloadReference `json:"workloads,omitempty"`
}

// WorkloadReference identifies a workload, for example a Deployment, or a pod that has no controller.
type WorkloadReference struct {
	// Namespace is the namespace of the workload.
	Namespace string `json:"namespace"`
	// Kind is the kind of the workload, for example "Deployment".
	Kind string `json:"kind"`
	// Name is the name of the workload.
	Name string `json:"name"`
}

// Compare compares references by namespace, kind and name, as cmp.Compare does.
func (r WorkloadReference) Compare(other WorkloadReference) int {
	return cmp.Or(
		cmp.Compare(r.Namespace, other.Namespace), cmp.Compare(r.Kind, other.Kind), cmp.Compare(r.Name, other.Name))
}

// String returns the reference as "namespace/kind/name".
func (r WorkloadReference) String() string { return r.Namespace + "/" + r.Kind + "/" + r.Name }
