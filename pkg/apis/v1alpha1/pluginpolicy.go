package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PluginPolicy is what a platform team decides once for the whole cluster: which
// plugins gateways get that nobody annotated, and which may be asked for.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=kongdao,shortName=pp,path=pluginpolicies
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Injected",type=integer,JSONPath=`.status.injected`
// +kubebuilder:printcolumn:name="To roll",type=integer,JSONPath=`.status.lacking`
// +kubebuilder:printcolumn:name="Opted out",type=integer,JSONPath=`.status.optedOut`
// +kubebuilder:printcolumn:name="Denied",type=integer,JSONPath=`.status.denied`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type PluginPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What is decided.
	Spec PluginPolicySpec `json:"spec"`
	// What it comes to.
	Status PluginPolicyStatus `json:"status,omitempty"`
}

// PluginPolicyList is several of them.
//
// +kubebuilder:object:root=true
type PluginPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PluginPolicy `json:"items"`
}

// PluginPolicySpec says what is decided, and for whom.
//
// +kubebuilder:validation:XValidation:rule="has(self.plugins) && size(self.plugins) > 0 || has(self.allowed) && size(self.allowed) > 0 || has(self.library)",message="a policy that has neither plugins, nor allowed, nor a library decides nothing"
type PluginPolicySpec struct {
	// Enforce does what the policy says; Audit changes nothing, and says what it
	// would have done.
	// +kubebuilder:validation:Enum=Enforce;Audit
	// +kubebuilder:default=Enforce
	Mode PolicyMode `json:"mode,omitempty"`
	// The namespaces, by their labels; all of them without it.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="an expression's operator is In or NotIn, with values, or Exists or DoesNotExist, without"
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// Which of the Kong pods there get the plugins, by their labels; all of them
	// without it. What is allowed is so for every pod of the namespaces.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="an expression's operator is In or NotIn, with values, or Exists or DoesNotExist, without"
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// What every Kong pod gets that is selected, as if it asked for it: "dao-test",
	// "dao-test@1.1.0".
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=127
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([-_A-Za-z0-9]{0,61}[A-Za-z0-9])?(@[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$`
	// +kubebuilder:validation:XValidation:rule="self.all(p, !(p.split('@')[0] in ['bundled', 'off']))",message="bundled and off are words of KONG_PLUGINS, not plugins"
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(q, q.split('@')[0] == p.split('@')[0]))",message="a plugin stands in the list once"
	// +listType=atomic
	Plugins []string `json:"plugins,omitempty"`
	// What annotations may ask for in the selected namespaces: names or versions in
	// which a star stands for anything, "dao-*", "dao-test@1.*". Nothing listed
	// means anything. A pattern without a version allows every version.
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=127
	// +kubebuilder:validation:items:Pattern=`^[-_*A-Za-z0-9]{1,63}(@[-_.*A-Za-z0-9]{1,63})?$`
	// +listType=atomic
	Allowed []string `json:"allowed,omitempty"`
	// A namespace whose sources may be used from the selected namespaces.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Library string `json:"library,omitempty"`
	// Whether a pod may do without the plugins by the annotation
	// kongdao.io/inject: "false".
	// +kubebuilder:default=true
	OptOut *bool `json:"optOut,omitempty"`
}

// PolicyMode says whether a policy does what it says.
type PolicyMode string

// The modes.
const (
	Enforce PolicyMode = "Enforce"
	Audit   PolicyMode = "Audit"
)

// The type of the condition, and its reasons.
const (
	// ConditionReady is true while what the policy asks for can be had wherever it
	// is asked for.
	ConditionReady = "Ready"
	// ReasonInEffect: it does what it says.
	ReasonInEffect = "InEffect"
	// ReasonAudited: it says what it would do.
	ReasonAudited = "Audited"
	// ReasonDenies: pods are denied, or would be.
	ReasonDenies = "DeniesPods"
	// ReasonNotCalled: API servers do not ask about pods that ask for nothing.
	ReasonNotCalled = "NotCalled"
	// ReasonInvalid: it cannot be read, and decides nothing.
	ReasonInvalid = "Invalid"
)

// PluginPolicyStatus is what a policy comes to: counts of what there is now.
type PluginPolicyStatus struct {
	// Namespaces that are selected.
	// +optional
	Namespaces int32 `json:"namespaces"`
	// Kong pods there that are selected.
	// +optional
	Pods int32 `json:"pods"`
	// Of these, those that have what the policy wants.
	// +optional
	Injected int32 `json:"injected"`
	// Those that have opted out.
	// +optional
	OptedOut int32 `json:"optedOut"`
	// Those that lack what the policy wants: they were made before it, and have to be
	// rolled. With Audit, those that would get something.
	// +optional
	Lacking int32 `json:"lacking"`
	// Workloads whose pods were denied for the policy in the last hour, or with
	// Audit would have been.
	// +optional
	Denied int32 `json:"denied"`
	// What each replica of kongdao has denied, or with Audit would have.
	// +listType=map
	// +listMapKey=replica
	Denials []PolicyDenials `json:"denials,omitempty"`
	// Some of the workloads whose pods lack something: "namespace/kind/name".
	// +listType=atomic
	ToRoll []string `json:"toRoll,omitempty"`
	// The generation that the counts are of.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// The condition Ready.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PolicyDenials are those of one replica of kongdao.
type PolicyDenials struct {
	// Which replica.
	Replica string `json:"replica"`
	// When it wrote this.
	Time metav1.Time `json:"time"`
	// The workloads whose pods it denied: "namespace/kind/name".
	// +listType=atomic
	Workloads []string `json:"workloads,omitempty"`
}
