package librarycontroller

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

// ensureCopy creates a copy if it is missing. A replica that led until now may create the same copy in between: then
// the second try finds it and compares its content.
func (c *Controller) ensureCopy(
	ctx context.Context, namespace string, release *catalog.Release, wanted catalog.Copy,
) error {
	err := c.createCopy(ctx, namespace, release, wanted)
	if apierrors.IsAlreadyExists(err) {
		err = c.createCopy(ctx, namespace, release, wanted)
	}
	return err
}

// createCopy creates a copy if the API server does not have it. It replaces a ConfigMap with the name of the copy and
// different content before a pod mounts it: someone else has created it.
func (c *Controller) createCopy(
	ctx context.Context, namespace string, release *catalog.Release, wanted catalog.Copy,
) error {
	name := namespace + "/" + wanted.Name
	var existing corev1.ConfigMap
	err := c.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: wanted.Name}, &existing)
	isCopy := existing.Labels[annotations.CopyOf] == release.Plugin
	switch {
	case err == nil && isCopy && wanted.Matches(catalog.NewSource(&existing)):
		return nil
	case err == nil:
		c.Log.Info("Replacing a copy that has other content or labels", "configMap", name)
		err := c.Client.Delete(ctx, &existing, client.Preconditions{UID: &existing.UID})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete ConfigMap %q to replace it with a correct copy: %w", name, err)
		}
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("read ConfigMap %q: %w", name, err)
	}
	configMap, err := c.buildCopy(ctx, namespace, release, wanted)
	if err != nil {
		return err
	}
	if err := c.Client.Create(ctx, configMap); err != nil {
		return fmt.Errorf("create ConfigMap %q: %w", name, err)
	}
	c.Log.Info("Created a copy", "configMap", name,
		"plugin", release.Plugin, "version", release.Version, "library", release.Library)
	return nil
}

// buildCopy returns a copy with the current content of the library. It returns an error if the content has changed
// since the pod was admitted: it then belongs to another release.
func (c *Controller) buildCopy(
	ctx context.Context, namespace string, release *catalog.Release, wanted catalog.Copy,
) (*corev1.ConfigMap, error) {
	configMap := newCopy(namespace, release, wanted.Name)
	sources := map[string]*corev1.ConfigMap{}
	for _, key := range wanted.Keys {
		if sources[key.Source] == nil {
			sources[key.Source] = &corev1.ConfigMap{}
			name := client.ObjectKey{Namespace: release.Library, Name: key.Source}
			if err := c.Live.Get(ctx, name, sources[key.Source]); err != nil {
				return nil, fmt.Errorf("read ConfigMap %q of the library: %w", name, err)
			}
		}
		if text, ok := sources[key.Source].Data[key.Key]; ok {
			configMap.Data[key.Name] = text
		} else {
			configMap.BinaryData[key.Name] = sources[key.Source].BinaryData[key.Key]
		}
	}
	if !wanted.Matches(catalog.NewSource(configMap)) {
		return nil, fmt.Errorf("plugin %q: the ConfigMaps in library %q have changed since the pod was admitted; "+
			"restart the workload", release.Plugin, release.Library)
	}
	return configMap, nil
}

// newCopy returns a copy without content.
func newCopy(namespace string, release *catalog.Release, name string) *corev1.ConfigMap {
	ref := annotations.PluginRef{Name: release.Plugin, Version: release.Version}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{
				annotations.Plugin: "", annotations.CopyOf: release.Plugin, "app.kubernetes.io/managed-by": "kongdao",
			},
			Annotations: map[string]string{
				annotations.Origin: release.Library + "/" + ref.String(),
				annotations.Digest: release.Digest,
			},
		},
		Immutable: new(true), BinaryData: map[string][]byte{}, Data: map[string]string{},
	}
}
