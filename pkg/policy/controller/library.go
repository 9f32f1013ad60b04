package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/injected"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Library copies libraries' releases to the namespaces of the pods that need
// them, lets these go when the copies are right, and takes away what nobody
// needs any more.
type Library struct {
	Client client.Client
	Live   client.Reader
	Pods   *injected.Pods
	// Releases yields the releases of a plugin in a namespace, Copies all copies
	// that the cache knows.
	Releases func(namespace, plugin string) []*catalog.Release
	Copies   func() []catalog.Source
	Events   *events.Events
	Log      logr.Logger
	Now      func() time.Time

	// unneeded is since when nobody needs a copy. Only collect looks at it.
	unneeded map[types.NamespacedName]time.Time
}

// SetUp registers the controller, which the leader alone runs: a reconciliation
// is about one pod that waits.
func (l *Library) SetUp(to manager.Manager) error {
	err := builder.ControllerManagedBy(to).Named("library").
		WithOptions(controller.Options{NeedLeaderElection: new(true), MaxConcurrentReconciles: 4}).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			l.Pods.FollowCopies(func(pod types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: pod}) })
			return nil
		})).
		Complete(l)
	if err != nil {
		return fmt.Errorf("set up the controller of libraries: %w", err)
	}
	return nil
}

// tryAgain is how soon is looked again for what a library lacks.
const tryAgain = 10 * time.Second

// Reconcile lets a pod go when all copies that it mounts are there, and right.
func (l *Library) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := l.Live.Get(ctx, request.NamespacedName, &pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	awaits := slices.ContainsFunc(pod.Spec.SchedulingGates, func(gate corev1.PodSchedulingGate) bool { return gate.Name == annotations.LibraryGate })
	if !awaits {
		return reconcile.Result{}, nil
	}
	var mark mutate.Mark
	if err := json.Unmarshal([]byte(pod.Annotations[annotations.Injection]), &mark); err != nil {
		return reconcile.Result{}, nil //nolint:nilerr // nobody's pod: a gate that a person has written
	}
	if err := l.provide(ctx, pod.Namespace, mark); err != nil {
		if owner := metav1.GetControllerOf(&pod); owner != nil {
			l.Events.Warn(events.OwnerOf(owner, pod.Namespace), "LibraryLacks", "CopyRelease", err.Error())
		}
		l.Log.Error(err, "a pod waits for its library", "namespace", pod.Namespace, "pod", pod.Name)
		return reconcile.Result{RequeueAfter: tryAgain}, nil
	}
	patch := client.RawPatch(types.StrategicMergePatchType,
		[]byte(`{"spec":{"schedulingGates":[{"$patch":"delete","name":"`+annotations.LibraryGate+`"}]}}`)) // others' stay (K35)
	if err := l.Client.Patch(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}, patch); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("lift the gate of pod %q: %w", request.String(), err)
	}
	return reconcile.Result{}, nil
}

// provide sees to it that the copies of a pod's releases are in its namespace.
func (l *Library) provide(ctx context.Context, namespace string, mark mutate.Mark) error {
	var lacking []error
	for _, marked := range mark.Releases {
		if marked.Library == "" || marked.Library == namespace {
			continue
		}
		at := slices.IndexFunc(l.Releases(marked.Library, marked.Plugin), func(release *catalog.Release) bool { return release.Digest == marked.Digest })
		if at < 0 {
			lacking = append(lacking, fmt.Errorf("plugin %q: library %q no longer has the release %s that the pod was admitted with; publish it there again, or roll the workload",
				marked.Plugin, marked.Library, marked.Digest))
			continue
		}
		release := l.Releases(marked.Library, marked.Plugin)[at].CopiedFrom(marked.Library)
		for _, wanted := range release.Copies {
			if err := l.copy(ctx, namespace, release, wanted); err != nil {
				lacking = append(lacking, err)
			}
		}
	}
	return errors.Join(lacking...)
}

// copy makes one copy, unless it is there. One that holds anything else than it
// should was made by somebody else, and is replaced before a pod mounts it.
func (l *Library) copy(ctx context.Context, namespace string, release *catalog.Release, wanted catalog.Copy) error {
	place := namespace + "/" + wanted.Name
	var there corev1.ConfigMap
	err := l.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: wanted.Name}, &there)
	switch {
	case err == nil && wanted.IsCopy(catalog.SourceOf(&there)) && there.Labels[annotations.CopyOf] == release.Plugin:
		return nil
	case err == nil:
		l.Log.Info("a copy is not what it should be, and is replaced", "configMap", place)
		if err := l.Client.Delete(ctx, &there, client.Preconditions{UID: &there.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete ConfigMap %q, which is not what it should be: %w", place, err)
		}
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("read ConfigMap %q: %w", place, err)
	}
	made, err := l.read(ctx, namespace, release, wanted)
	if err != nil {
		return err
	}
	if err := l.Client.Create(ctx, made); err != nil {
		return fmt.Errorf("make ConfigMap %q: %w", place, err)
	}
	l.Log.Info("copied a part of a library's release", "configMap", place, "plugin", release.Plugin, "version", release.Version, "library", release.Library)
	return nil
}

// read makes a copy out of what the library holds now. What has changed there
// since the pod was admitted is no part of its release.
func (l *Library) read(ctx context.Context, namespace string, release *catalog.Release, wanted catalog.Copy) (*corev1.ConfigMap, error) {
	made := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: wanted.Name,
			Labels: map[string]string{annotations.Plugin: "", annotations.CopyOf: release.Plugin, "app.kubernetes.io/managed-by": "kongdao"},
			Annotations: map[string]string{
				annotations.Origin: release.Library + "/" + annotations.PluginRef{Name: release.Plugin, Version: release.Version}.String(),
				annotations.Digest: release.Digest,
			},
		},
		Immutable: new(true), BinaryData: map[string][]byte{}, Data: map[string]string{},
	}
	sources := map[string]*corev1.ConfigMap{}
	for _, key := range wanted.Keys {
		if sources[key.Source] == nil {
			sources[key.Source] = &corev1.ConfigMap{}
			if err := l.Live.Get(ctx, client.ObjectKey{Namespace: release.Library, Name: key.Source}, sources[key.Source]); err != nil {
				return nil, fmt.Errorf("read ConfigMap %q of the library: %w", release.Library+"/"+key.Source, err)
			}
		}
		if text, there := sources[key.Source].Data[key.Key]; there {
			made.Data[key.Name] = text
		} else {
			made.BinaryData[key.Name] = sources[key.Source].BinaryData[key.Key]
		}
	}
	if !wanted.IsCopy(catalog.SourceOf(made)) {
		return nil, fmt.Errorf("plugin %q: the ConfigMaps of library %q have changed since the pod was admitted; roll the workload", release.Plugin, release.Library)
	}
	return made, nil
}

// spared is how long a copy stays that nobody needs: a pod may be on its way.
const spared = 10 * time.Minute

// collect puts copies back that pods mount and that are gone, and deletes those
// that no pod has needed for a while.
func (l *Library) collect(ctx context.Context, _ map[string]*policy.Policy) error {
	users := l.Pods.CopyUsers()
	known := map[types.NamespacedName]bool{}
	var failed []error
	if l.unneeded == nil {
		l.unneeded = map[types.NamespacedName]time.Time{}
	}
	for _, source := range l.Copies() {
		key := types.NamespacedName{Namespace: source.Namespace, Name: source.Name}
		known[key] = true
		if len(users[key]) > 0 {
			delete(l.unneeded, key)
			continue
		}
		if _, noted := l.unneeded[key]; !noted {
			l.unneeded[key] = l.Now()
		}
		if l.Now().Sub(l.unneeded[key]) < spared {
			continue
		}
		l.Log.Info("no pod needs a copy any more", "configMap", key.String())
		err := l.Client.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})
		if client.IgnoreNotFound(err) != nil {
			failed = append(failed, fmt.Errorf("delete ConfigMap %q: %w", key, err))
		}
		delete(l.unneeded, key)
	}
	for key, pods := range users {
		if !known[key] {
			failed = append(failed, l.putBack(ctx, pods[0]))
		}
	}
	return errors.Join(failed...)
}

// putBack provides what a pod mounts: the kubelet waits for it (V6).
func (l *Library) putBack(ctx context.Context, key types.NamespacedName) error {
	var pod corev1.Pod
	if err := l.Live.Get(ctx, key, &pod); err != nil {
		return client.IgnoreNotFound(err)
	}
	var mark mutate.Mark
	if err := json.Unmarshal([]byte(pod.Annotations[annotations.Injection]), &mark); err != nil {
		return nil //nolint:nilerr // no mark of ours
	}
	return l.provide(ctx, pod.Namespace, mark)
}

func (l *Library) hasCopies() bool { return len(l.Copies()) > 0 }
