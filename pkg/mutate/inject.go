package mutate

import (
	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// Injection is what the core makes of a pod: patch operations and warnings, or
// denials, in which case there is no patch.
type Injection struct {
	// Patch is empty where nothing has to change.
	Patch []Operation
	// Warnings are sentences for the person who made the pod, sorted.
	Warnings []string
	// Denials is why the pod cannot have what it asks for.
	Denials denial.List
}

// Inject gives the Kong containers of a pod the releases that its request was
// resolved to. A request without plugins changes nothing.
func Inject(pod Pod, request annotations.Request, releases []*catalog.Release) Injection {
	if len(request.Plugins) == 0 {
		return Injection{}
	}
	targets, denied := findContainers(pod, request)
	if len(denied) > 0 || len(releases) == 0 {
		return Injection{Denials: denied}
	}
	var found notes
	found.releases(releases)
	wanted := layoutOf(releases)
	names := pluginNames(releases)
	inUse := mountedByOthers(pod, targets)
	patch := make([]Operation, 0, len(targets)*(1+len(wanted.mounts))+len(wanted.volumes)+2)
	for _, target := range targets {
		found.modes(target.container, releases)
		patch = target.injectEnv(patch, names, &found)
		patch = target.injectMounts(patch, wanted.mounts, pod.Volumes, inUse, &found)
	}
	if len(found.denied) > 0 {
		return Injection{Denials: found.denied}
	}
	patch = injectVolumes(patch, pod.Volumes, wanted.volumes, inUse)
	patch = injectMarks(patch, pod, releases)
	return Injection{Patch: patch, Warnings: found.sentences()}
}

func pluginNames(releases []*catalog.Release) []string {
	names := make([]string, len(releases))
	for i, release := range releases {
		names[i] = release.Plugin
	}
	return names
}
