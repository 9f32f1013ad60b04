package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
)

// Requirement is what a pod needs of its database before its Kong can start.
type Requirement struct {
	Database v1alpha1.Database
	// Plugins are the plugins that have migrations.
	Plugins PluginSet
	// Image is the Kong image.
	Image string
	// Container is the name of the container that runs Kong.
	Container string
	Mode      annotations.MigrationsMode
	// With are the names of the containers that the Job runs next to Kong.
	With []string
}

// RequirementOf returns the requirement of a pod that gets releases for a request. It returns false for a pod that
// needs no migration. It also returns false if kongdao does not migrate the database of the pod. This is the case if
// the database is off, if the pod is a data plane, and if the annotation kongdao.io/migrations is off.
func RequirementOf(
	namespace string, pod mutate.Pod, request annotations.Request, releases []*catalog.Release,
) (Requirement, bool) {
	return newRequirement(namespace, pod, request, pluginsOfReleases(releases))
}

// RequirementOfInjected is RequirementOf for a pod that was injected before: its injection record names the releases.
// It returns false for a pod without a valid injection record. The requirement has no names of migrations: see
// WithNames.
func RequirementOfInjected(namespace string, pod mutate.Pod) (Requirement, bool) {
	record, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil {
		return Requirement{}, false
	}
	plugins, ok := pluginsOfRecord(record)
	if !ok {
		return Requirement{}, false
	}
	request, _ := annotations.Parse(pod.Annotations)
	return newRequirement(namespace, pod, request, plugins)
}

func newRequirement(
	namespace string, pod mutate.Pod, request annotations.Request, plugins PluginSet,
) (Requirement, bool) {
	if len(plugins) == 0 || request.Migrations == annotations.MigrationsOff {
		return Requirement{}, false
	}
	container := mutate.KongContainer(pod, request)
	if container == nil {
		return Requirement{}, false
	}
	database, reachable := DatabaseOf(namespace, &pod, container, request.MigrationsWith)
	if !reachable {
		return Requirement{}, false
	}
	return Requirement{
		Database: database, Plugins: plugins,
		Image: container.Image, Container: container.Name, Mode: request.Migrations,
		With: request.MigrationsWith,
	}, true
}

// MigrationName returns the name of the requirement's PluginMigration. It is a hash of the database and the migrations,
// so that the webhook and the controller find the same PluginMigration.
func (r Requirement) MigrationName() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n", r.Database.Key)
	for _, plugin := range r.Plugins {
		fmt.Fprintf(hash, "%s %s\n", plugin.Name, plugin.MigrationsDigest)
	}
	return r.Plugins.namePrefix() + hex.EncodeToString(hash.Sum(nil))[:10]
}

// Spec returns the spec of the requirement's PluginMigration.
func (r Requirement) Spec() v1alpha1.PluginMigrationSpec {
	return v1alpha1.PluginMigrationSpec{
		Request: r.Plugins.request(), Database: r.Database, Plugins: r.Plugins, Image: r.Image,
	}
}
