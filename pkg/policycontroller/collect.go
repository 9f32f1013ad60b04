package policycontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// missing has a pod looked at that mounts a copy which is gone. Who waits for it is
// looked after anyway.
func (l *Library) missing(users []*clusterstate.InjectedPod) {
	at := slices.IndexFunc(users, func(pod *clusterstate.InjectedPod) bool { return !pod.AwaitsCopies })
	if look := l.look.Load(); look != nil && at >= 0 {
		(*look)(users[at].Key())
	}
}

// collect has copies put back that pods mount and that are gone, and deletes those
// that neither a pod nor a policy has needed for a while. It says when there will be more of them: 0 for never, as it is now.
func (l *Library) collect(ctx context.Context, all policies) (time.Duration, error) {
	users := l.Pods.CopyUsers()
	known, unneeded := map[types.NamespacedName]bool{}, map[types.NamespacedName]time.Time{}
	var next time.Duration
	var failed []error
	for _, source := range l.Sources.Copies() {
		key := types.NamespacedName{Namespace: source.Namespace, Name: source.Name}
		known[key] = true
		if len(users[key]) > 0 {
			continue
		}
		wanted, err := l.wanted(ctx, key, all)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if wanted {
			continue
		}
		since, noted := l.unneeded[key]
		if !noted {
			since = l.Now()
		}
		if left := l.Retention - l.Now().Sub(since); left > 0 {
			unneeded[key] = since
			if next == 0 || left < next {
				next = left
			}
			continue
		}
		l.Log.Info("neither a pod nor a policy needs a copy any more", "configMap", key.String())
		err = l.Client.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})
		if client.IgnoreNotFound(err) != nil {
			failed = append(failed, fmt.Errorf("delete ConfigMap %q: %w", key, err))
		}
	}
	l.unneeded = unneeded
	for key := range users {
		if !known[key] { // it went while nobody led
			l.missing(users[key])
		}
	}
	return next, errors.Join(failed...)
}

// wanted reports whether a policy would give the next Kong pod of a namespace what
// a copy holds.
func (l *Library) wanted(ctx context.Context, key types.NamespacedName, all policies) (bool, error) {
	var namespace corev1.Namespace
	if err := l.Client.Get(ctx, client.ObjectKey{Name: key.Namespace}, &namespace); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil // it is going, with all that is in it
		}
		return false, fmt.Errorf("read namespace %q: %w", key.Namespace, err)
	}
	for _, one := range all.selecting(namespace.Labels) {
		for _, ref := range one.Plugins {
			if one.Library != "" && !one.Audits && slices.Contains(l.copiesOf(one.Library, ref), key.Name) {
				return true, nil
			}
		}
	}
	return false, nil
}

// copiesOf are the names of the copies of what a library has of a plugin.
func (l *Library) copiesOf(library string, ref annotations.PluginRef) []string {
	var names []string
	for _, release := range l.Sources.Releases(library, ref.Name) {
		if ref.Version != "" && ref.Version != release.Version {
			continue
		}
		for _, made := range release.CopiedFrom(library).Copies {
			names = append(names, made.Name)
		}
	}
	return names
}

func (l *Library) hasCopies() bool { return len(l.Sources.Copies()) > 0 }
