package mutate

import (
	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// Injection is how a pod gets plugins: patch operations and warnings, or denials.
type Injection struct {
	// Patch is empty if nothing has to change.
	Patch []Operation
	// Warnings are sentences for the person who creates the pod, sorted.
	Warnings []string
	// Denials say why the pod cannot get the plugins. A denied pod has no patch.
	Denials denial.List
}

// Inject injects the releases that a request was resolved to into the Kong containers of a pod. A request without
// plugins changes nothing.
func Inject(pod Pod, request annotations.Request, releases []*catalog.Release) Injection {
	if len(request.Plugins) == 0 {
		return Injection{}
	}
	targets, denials := findTargets(pod, request)
	denials = append(denials, checkMigrationsWith(pod, request.MigrationsWith, targets)...)
	if len(denials) > 0 || len(releases) == 0 {
		return Injection{Denials: denials}
	}
	layout := newLayout(releases)
	injector := injector{
		pod:         pod,
		releases:    releases,
		layout:      layout,
		usedVolumes: volumesOfOthers(pod, targets),
		patch:       make([]Operation, 0, len(targets)*(1+len(layout.mounts))+len(layout.volumes)+2),
	}
	injector.warnings.addMutableSources(releases)
	for _, target := range targets {
		injector.warnings.addMode(target.container, releases)
		injector.warnings.addCommand(target.container)
		injector.injectEnv(target)
		injector.injectMounts(target)
	}
	if len(injector.denials) > 0 {
		return Injection{Denials: injector.denials}
	}
	injector.injectVolumes()
	injector.injectRecord()
	return Injection{Patch: injector.patch, Warnings: injector.warnings.sorted()}
}

// injector builds one injection.
type injector struct {
	pod      Pod
	releases []*catalog.Release
	layout   layout
	// usedVolumes are the managed volumes that containers mount after the injection.
	usedVolumes map[string]bool
	patch       []Operation
	warnings    warnings
	// denials are about mounts of the containers.
	denials denial.List
}
