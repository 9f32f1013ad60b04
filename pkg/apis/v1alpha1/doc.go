// Package v1alpha1 owns the kinds that kongdao adds to a cluster, as their
// objects are written. "make generate" makes their CRDs of what stands here.
//
// +kubebuilder:object:generate=true
// +groupName=kongdao.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is that of every kind here.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "kongdao.io", Version: "v1alpha1"}
}

// AddToScheme makes a scheme know the kinds.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion(), &PluginMigration{}, &PluginMigrationList{}, &PluginPolicy{}, &PluginPolicyList{})
	metav1.AddToGroupVersion(scheme, GroupVersion())
	return nil
}
