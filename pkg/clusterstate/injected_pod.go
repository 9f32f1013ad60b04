package clusterstate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
)

// Pod is what is kept of a pod that was injected.
type InjectedPod struct {
	metav1.ObjectMeta
	// Migrates is what a plan of migrations has to know.
	Migrates migrate.Pod
	// Owner is the pod's controller, nil for a pod that nobody controls.
	Owner *metav1.OwnerReference
	// Libraries are the namespaces that its plugins come from, by their names; those
	// of its own are not in it.
	Libraries map[string]string
	// Copies are the names of the copies of libraries' releases that it mounts, and
	// AwaitsCopies says that it waits for them.
	Copies       []string
	AwaitsCopies bool
	// counts is false for a pod that has ended, or that has no database.
	counts bool
	// ended is true for a pod that runs no more, and will not again.
	ended bool
}

// Cache is what a cache needs so that Pods can be fed from it: it selects the
// pods that were injected, and drops what no plan has to know (W6).
func InjectedPodsCache(namespaces ...string) cache.ByObject {
	return cache.ByObject{
		Label:      labels.SelectorFromSet(labels.Set{annotations.Injected: "true"}),
		Namespaces: inNamespaces(namespaces),
		Transform:  reducePod,
	}
}

// reduce is the cache's transform. It may see what it made before.
func reducePod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	reduced := &InjectedPod{ObjectMeta: metav1.ObjectMeta{
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}}
	reduced.Owner = metav1.GetControllerOf(pod)
	reduced.ended = HasEnded(pod)
	reduced.AwaitsCopies = AwaitsCopies(pod)
	reduced.readMark(pod)
	var err error
	reduced.Migrates, reduced.counts, err = MigrationPod(pod)
	return reduced, err
}

// readMark notes what a pod's mark says of libraries.
func (p *InjectedPod) readMark(pod *corev1.Pod) {
	mark, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil {
		return
	}
	for _, release := range mark.Releases {
		if release.Library == "" {
			continue
		}
		if p.Libraries == nil {
			p.Libraries = map[string]string{}
		}
		p.Libraries[release.Plugin] = release.Library
		p.Copies = append(p.Copies, release.Sources...)
	}
}

// Key is the pod's place.
func (p *InjectedPod) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}

// From is the namespace that a plugin of the pod comes from.
func (p *InjectedPod) From(plugin string) string {
	if library, there := p.Libraries[plugin]; there {
		return library
	}
	return p.Namespace
}

// Read is what a plan of migrations has to know of a pod; false for one that does
// not count: it has ended, is a Job's, or its Kong has no database.
func MigrationPod(pod *corev1.Pod) (migrate.Pod, bool, error) {
	owner := metav1.GetControllerOf(pod)
	if HasEnded(pod) || owner != nil && owner.Kind == "Job" {
		return migrate.Pod{}, false, nil
	}
	view, err := DecodePod(pod)
	if err != nil {
		return migrate.Pod{}, false, err
	}
	read := migrate.Pod{
		Namespace: pod.Namespace, Name: pod.Name,
		Gated: view.HasGate(annotations.MigrationsGate), Ready: isReady(pod), Ending: pod.DeletionTimestamp != nil,
	}
	request, _ := annotations.Parse(view.Annotations)
	container := mutate.KongContainer(view, request)
	if container == nil {
		return migrate.Pod{}, false, nil
	}
	if plugins, known := container.Plugins(); known {
		read.Plugins = append([]string{}, plugins...)
	}
	if need, ok := migrate.RequirementOfInjected(pod.Namespace, view); ok {
		read.Requirement = need
		return read, true, nil
	}
	database, reachable := migrate.DatabaseOf(pod.Namespace, container)
	read.Requirement = migrate.Requirement{Database: database, Image: container.Image, Container: container.Name}
	return read, reachable, nil
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}
