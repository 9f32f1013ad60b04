// Package workloads owns which kinds of objects have a pod template with pins, and how to read them: Deployments,
// StatefulSets and DaemonSets, and their older versions.
package workloads

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/mutate"
)

// Kind is a kind of workload, or of older versions of workloads.
type Kind struct {
	// Names are the names of the kind on a command line, in lower case. Older versions have none.
	Names []string
	New   func() client.Object
	// NewList returns an empty list of this kind.
	NewList func() client.ObjectList
}

// Kinds returns the kinds of workloads.
func Kinds() []Kind {
	return []Kind{
		{
			[]string{"deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"},
			func() client.Object { return &appsv1.Deployment{} }, func() client.ObjectList { return &appsv1.DeploymentList{} },
		},
		{
			[]string{"statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"},
			func() client.Object { return &appsv1.StatefulSet{} }, func() client.ObjectList { return &appsv1.StatefulSetList{} },
		},
		{
			[]string{"daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"},
			func() client.Object { return &appsv1.DaemonSet{} }, func() client.ObjectList { return &appsv1.DaemonSetList{} },
		},
	}
}

// OlderKinds returns the kinds that hold older pod templates, to which a workload can be rolled back.
func OlderKinds() []Kind {
	return []Kind{
		{nil, func() client.Object { return &appsv1.ReplicaSet{} },
			func() client.ObjectList { return &appsv1.ReplicaSetList{} }},
		{nil, func() client.Object { return &appsv1.ControllerRevision{} },
			func() client.ObjectList { return &appsv1.ControllerRevisionList{} }},
	}
}

// KindNamed returns the kind with a name of a command line: "deploy".
func KindNamed(name string) (Kind, bool) {
	kinds := Kinds()
	at := slices.IndexFunc(kinds, func(kind Kind) bool { return slices.Contains(kind.Names, strings.ToLower(name)) })
	if at < 0 {
		return Kind{}, false
	}
	return kinds[at], true
}

// Template returns the pod template of a workload, or of an older version of a workload. The template of another object
// is empty.
func Template(object client.Object) *corev1.PodTemplateSpec {
	switch workload := object.(type) {
	case *appsv1.Deployment:
		return &workload.Spec.Template
	case *appsv1.ReplicaSet:
		return &workload.Spec.Template
	case *appsv1.StatefulSet:
		return &workload.Spec.Template
	case *appsv1.DaemonSet:
		return &workload.Spec.Template
	case *appsv1.ControllerRevision:
		return templateOfRevision(workload)
	}
	return &corev1.PodTemplateSpec{}
}

// Selector returns what selects the pods of a workload.
func Selector(object client.Object) (labels.Selector, error) {
	var selector *metav1.LabelSelector
	switch workload := object.(type) {
	case *appsv1.Deployment:
		selector = workload.Spec.Selector
	case *appsv1.StatefulSet:
		selector = workload.Spec.Selector
	case *appsv1.DaemonSet:
		selector = workload.Spec.Selector
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("%s: selector: %w", Describe(object), err)
	}
	return parsed, nil
}

// templateOfRevision returns the pod template in a revision of a StatefulSet or DaemonSet. Other controllers store
// other data, without a template.
func templateOfRevision(revision *appsv1.ControllerRevision) *corev1.PodTemplateSpec {
	var data struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	if err := json.Unmarshal(revision.Data.Raw, &data); err != nil {
		return &corev1.PodTemplateSpec{}
	}
	return &data.Spec.Template
}

// TemplateView returns the pod template of a workload as the core sees it.
func TemplateView(object client.Object) (mutate.Pod, error) {
	text, err := json.Marshal(Template(object))
	if err != nil {
		return mutate.Pod{}, fmt.Errorf("encode the pod template of %s: %w", Describe(object), err)
	}
	view, err := mutate.DecodePod(text)
	if err != nil {
		return mutate.Pod{}, fmt.Errorf("decode the pod template of %s: %w", Describe(object), err)
	}
	return view, nil
}

// KindOf returns the kind of a workload, or of an older version of a workload.
func KindOf(object client.Object) string {
	switch object.(type) {
	case *appsv1.Deployment:
		return "Deployment"
	case *appsv1.ReplicaSet:
		return "ReplicaSet"
	case *appsv1.StatefulSet:
		return "StatefulSet"
	case *appsv1.DaemonSet:
		return "DaemonSet"
	}
	return "ControllerRevision"
}

// Describe names a workload in a message: `Deployment "kong/kong"`.
func Describe(object client.Object) string {
	return fmt.Sprintf("%s %q", KindOf(object), object.GetNamespace()+"/"+object.GetName())
}
