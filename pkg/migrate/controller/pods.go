package controller

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
)

// kept is what is kept of a pod that was injected: what a plan has to know.
type kept struct {
	metav1.ObjectMeta
	pod   migrate.Pod
	owner *metav1.OwnerReference
	// counts is false for a pod that has ended, or that has no database.
	counts bool
}

// PodCache is what a cache needs so that Pods can be fed from it: it selects the
// pods that were injected, and drops what no plan has to know (W6).
func PodCache(namespaces ...string) cache.ByObject {
	selected := cache.ByObject{
		Label:     labels.SelectorFromSet(labels.Set{annotations.Injected: "true"}),
		Transform: reduce,
	}
	for _, namespace := range namespaces {
		if selected.Namespaces == nil {
			selected.Namespaces = map[string]cache.Config{}
		}
		selected.Namespaces[namespace] = cache.Config{}
	}
	return selected
}

// reduce is the cache's transform. It may see what it made before.
func reduce(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	reduced := &kept{ObjectMeta: metav1.ObjectMeta{
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}}
	reduced.owner = metav1.GetControllerOf(pod)
	var err error
	reduced.pod, reduced.counts, err = podOf(pod)
	return reduced, err
}

// podOf is what a plan has to know of a pod; false for one that does not count:
// it has ended, is a Job's, or its Kong has no database.
func podOf(pod *corev1.Pod) (migrate.Pod, bool, error) {
	owner := metav1.GetControllerOf(pod)
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || owner != nil && owner.Kind == "Job" {
		return migrate.Pod{}, false, nil
	}
	text, err := json.Marshal(pod)
	if err != nil {
		return migrate.Pod{}, false, fmt.Errorf("read pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	view, err := mutate.DecodePod(text)
	if err != nil {
		return migrate.Pod{}, false, fmt.Errorf("read pod %q: %w", pod.Namespace+"/"+pod.Name, err)
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
	if need, ok := migrate.NeedOfInjected(pod.Namespace, view); ok {
		read.Need = need
		return read, true, nil
	}
	database, reachable := migrate.DatabaseOf(pod.Namespace, container)
	read.Need = migrate.Need{Database: database, Image: container.Image, Container: container.Name}
	return read, reachable, nil
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// place is a database in a namespace: what a reconciliation is about.
type place struct{ namespace, database string }

// Pods is an index, by their database, of the pods that were injected. It is
// safe for concurrent use.
type Pods struct {
	mutex      sync.RWMutex
	pods       map[types.NamespacedName]*kept
	byDatabase map[string]map[types.NamespacedName]*kept
	// changed is called, without the mutex, for each place where a pod has changed.
	changed func(place)
	synced  func() bool
}

// NewPods makes Pods that follow a cache with PodCache.
func NewPods(ctx context.Context, followed cache.Informers) (*Pods, error) {
	p := &Pods{pods: map[types.NamespacedName]*kept{}, byDatabase: map[string]map[types.NamespacedName]*kept{}}
	informer, err := followed.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch the pods labelled %s: %w", annotations.Injected, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    p.put,
		UpdateFunc: func(_, now any) { p.put(now) },
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			if pod, ok := object.(*kept); ok {
				p.replace(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, nil)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch the pods labelled %s: %w", annotations.Injected, err)
	}
	p.synced = registration.HasSynced
	return p, nil
}

func (p *Pods) put(object any) {
	pod, ok := object.(*kept)
	if !ok {
		return
	}
	key := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	if !pod.counts {
		pod = nil
	}
	p.replace(key, pod)
}

// replace takes a pod's place in the index, nil for one that is gone.
func (p *Pods) replace(key types.NamespacedName, now *kept) {
	p.mutex.Lock()
	touched := map[place]bool{}
	touch := func(database string) {
		for other := range p.byDatabase[database] {
			touched[place{other.Namespace, database}] = true // its finish may wait for this pod
		}
	}
	if before := p.pods[key]; before != nil {
		database := before.pod.Need.Database.Key
		touch(database)
		delete(p.pods, key)
		delete(p.byDatabase[database], key)
		if len(p.byDatabase[database]) == 0 {
			delete(p.byDatabase, database)
		}
	}
	if now != nil {
		database := now.pod.Need.Database.Key
		p.pods[key] = now
		if p.byDatabase[database] == nil {
			p.byDatabase[database] = map[types.NamespacedName]*kept{}
		}
		p.byDatabase[database][key] = now
		touch(database)
	}
	changed := p.changed
	p.mutex.Unlock()
	for where := range touched {
		if changed != nil {
			changed(where)
		}
	}
}

// of are the pods of a database, of all namespaces.
func (p *Pods) of(database string) []*kept {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	found := make([]*kept, 0, len(p.byDatabase[database]))
	for _, pod := range p.byDatabase[database] {
		found = append(found, pod)
	}
	slices.SortFunc(found, func(a, b *kept) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return found
}

// gated is how many pods wait for us.
func (p *Pods) gated() int {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	count := 0
	for _, pod := range p.pods {
		if pod.pod.Gated {
			count++
		}
	}
	return count
}

// follow has changed called for each place where a pod is, and from now on for
// each where one changes.
func (p *Pods) follow(changed func(place)) {
	p.mutex.Lock()
	p.changed = changed
	places := map[place]bool{}
	for key, pod := range p.pods {
		places[place{key.Namespace, pod.pod.Need.Database.Key}] = true
	}
	p.mutex.Unlock()
	for where := range places {
		changed(where)
	}
}
