// Package v1alpha1 contains the API types of kongdao.io/v1alpha1. "make generate" generates the CRDs from them.
//
// +kubebuilder:object:generate=true
// +groupName=kongdao.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion returns the API group and version of all kinds in this package.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "kongdao.io", Version: "v1alpha1"}
}

// AddToScheme registers the kinds of this package with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion(), &PluginMigration{}, &PluginMigrationList{}, &PluginPolicy{}, &PluginPolicyList{})
	metav1.AddToGroupVersion(scheme, GroupVersion())
	return nil
}
