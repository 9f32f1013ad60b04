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

// InjectedPod is what the cache keeps of an injected pod. The metadata is the minimum that an informer needs to
// distinguish objects and their versions.
type InjectedPod struct {
	metav1.ObjectMeta
	// Migration is what the migration plan needs to know about the pod.
	Migration migrate.Pod
	// Owner is the pod's controller, or nil.
	Owner *metav1.OwnerReference
	// Libraries maps a plugin to the library that it comes from. Plugins from the pod's own namespace are not in it.
	Libraries map[string]string
	// LibraryReleases are the releases that come from libraries.
	LibraryReleases []mutate.ReleaseRecord
	// Copies are the names of the copies that the pod mounts. AwaitsCopies reports whether the pod waits for them.
	Copies       []string
	AwaitsCopies bool
	// migrates reports whether the pod matters for migrations: it runs, and its Kong has a database.
	migrates bool
	// ended reports whether the pod has terminated.
	ended bool
}

// InjectedPodsCache returns the cache options that NewInjectedPods needs. The cache selects the injected pods and drops
// what the index does not use, because caches of whole objects have made operators run out of memory (fact W6).
func InjectedPodsCache(namespaces ...string) cache.ByObject {
	return cache.ByObject{
		Label:      labels.SelectorFromSet(labels.Set{annotations.Injected: "true"}),
		Namespaces: inNamespaces(namespaces),
		Transform:  reducePod,
	}
}

// reducePod is the cache's transform. An informer may call it again with its own result.
func reducePod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	return reduce(pod)
}

func reduce(pod *corev1.Pod) (*InjectedPod, error) {
	reduced := &InjectedPod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			CreationTimestamp: pod.CreationTimestamp,
		},
		Owner:        metav1.GetControllerOf(pod),
		AwaitsCopies: AwaitsCopies(pod),
		ended:        HasEnded(pod),
	}
	reduced.readLibraries(pod)
	var err error
	reduced.Migration, reduced.migrates, err = MigrationPod(pod)
	return reduced, err
}

// ReadPod returns what the index would keep of a pod, which does not need to be injected. It returns false for a pod
// that does not matter for migrations.
func ReadPod(pod *corev1.Pod) (*InjectedPod, bool, error) {
	reduced, err := reduce(pod)
	return reduced, reduced.migrates, err
}

// readLibraries reads Libraries, LibraryReleases and Copies from the pod's injection record. It ignores a malformed
// record.
func (p *InjectedPod) readLibraries(pod *corev1.Pod) {
	record, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil {
		return
	}
	for _, release := range record.Releases {
		if release.Library == "" {
			continue
		}
		if p.Libraries == nil {
			p.Libraries = map[string]string{}
		}
		p.Libraries[release.Plugin] = release.Library
		p.LibraryReleases = append(p.LibraryReleases, release)
		p.Copies = append(p.Copies, release.Sources...)
	}
}

// Key returns the pod's namespace and name.
func (p *InjectedPod) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}

// SourceNamespace returns the namespace that a plugin of the pod comes from.
func (p *InjectedPod) SourceNamespace(plugin string) string {
	if library, ok := p.Libraries[plugin]; ok {
		return library
	}
	return p.Namespace
}

// database returns the key of the pod's database.
func (p *InjectedPod) database() string { return p.Migration.Requirement.Database.Key }

func (p *InjectedPod) mountsCopies() bool { return len(p.Copies) > 0 && !p.ended }

// MigrationPod returns what the migration plan needs to know about a pod. It returns false for a pod that does not
// matter for migrations: it has ended, it belongs to a Job, or its Kong has no database.
func MigrationPod(pod *corev1.Pod) (migrate.Pod, bool, error) {
	owner := metav1.GetControllerOf(pod)
	if HasEnded(pod) || owner != nil && owner.Kind == "Job" {
		return migrate.Pod{}, false, nil
	}
	view, err := PodView(pod)
	if err != nil {
		return migrate.Pod{}, false, err
	}
	result := migrate.Pod{
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
		Gated: view.HasGate(annotations.MigrationsGate), Started: hasStarted(pod), Ready: isReady(pod),
		Ending: pod.DeletionTimestamp != nil, Created: pod.CreationTimestamp, Template: migrate.TemplateOf(pod),
	}
	request, _ := annotations.Parse(view.Annotations)
	container := mutate.KongContainer(view, request)
	if container == nil {
		return migrate.Pod{}, false, nil
	}
	if err := migrate.CanRunJob(pod, view, container); err != nil {
		result.Unusable = err.Error()
	}
	if plugins, known := container.Plugins(); known {
		result.Plugins = append([]string{}, plugins...)
	}
	if requirement, ok := migrate.RequirementOfInjected(pod.Namespace, view); ok {
		result.Requirement, result.Migration = requirement, requirement.MigrationName()
		return result, true, nil
	}
	database, hasDatabase := migrate.DatabaseOf(pod.Namespace, &view, container, request.MigrationsWith)
	result.Requirement = migrate.Requirement{
		Database: database, Image: container.Image, Container: container.Name,
	}
	return result, hasDatabase, nil
}

// hasStarted reports whether a pod has a node and a container of it runs or ran. Kubelet reports this.
func hasStarted(pod *corev1.Pod) bool {
	started := func(status corev1.ContainerStatus) bool {
		return status.State.Running != nil || status.State.Terminated != nil || status.LastTerminationState.Terminated != nil
	}
	return pod.Spec.NodeName != "" && (slices.ContainsFunc(pod.Status.ContainerStatuses, started) ||
		slices.ContainsFunc(pod.Status.InitContainerStatuses, started))
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}
