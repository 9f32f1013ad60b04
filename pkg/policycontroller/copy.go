package policycontroller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// copy makes one copy, unless it is there. One that holds anything else than it
// should was made by somebody else, and is replaced before a pod mounts it.
func (l *Library) copy(ctx context.Context, namespace string, release *catalog.Release, wanted catalog.Copy) error {
	place := namespace + "/" + wanted.Name
	var there corev1.ConfigMap
	err := l.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: wanted.Name}, &there)
	switch {
	case err == nil && wanted.Matches(catalog.NewSource(&there)) && there.Labels[annotations.CopyOf] == release.Plugin:
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
	if !wanted.Matches(catalog.NewSource(made)) {
		return nil, fmt.Errorf("plugin %q: the ConfigMaps of library %q have changed since the pod was admitted; roll the workload", release.Plugin, release.Library)
	}
	return made, nil
}
