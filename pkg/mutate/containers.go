package mutate

import (
	"strconv"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// target is a container of a pod.
type target struct {
	container *Container
	// path is the container's JSON pointer: "/spec/containers/1".
	path string
}

// certainSettings is the number of Kong's own settings that no client of Kong has. A policy acts on pods that request
// nothing, and on containers that an annotation does not name.
const certainSettings = 2

// minSettings returns how many of Kong's own settings a container without Kong's image must have. A pod that requests
// plugins has a Kong container, so one is enough.
func minSettings(pod Pod) int {
	if strings.TrimSpace(pod.Annotations[annotations.Plugins]) != "" {
		return 1
	}
	return certainSettings
}

// findTargets returns the containers and init containers that run Kong. These are the ones that the request names, or
// else the ones that it detects. If a policy requires all Kong containers, it returns both.
func findTargets(pod Pod, request annotations.Request) ([]target, denial.List) {
	if request.Containers != nil {
		return namedContainers(pod, request.Containers, request.AllKongContainers)
	}
	targets := detectKong(pod, minSettings(pod))
	if len(targets) == 0 {
		return nil, denial.List{denial.New(denial.NoKongContainer,
			"the pod has no Kong container: none of %s has an image named kong or kong-gateway, or a setting such as "+
				"KONG_DATABASE; name the Kong containers in the annotation %s", containerNames(pod), annotations.Containers)}
	}
	return targets, nil
}

// IsKong reports whether a container of the pod runs Kong.
func IsKong(pod Pod) bool {
	return len(detectKong(pod, minSettings(pod))) > 0
}

// detectKong returns the containers with Kong's image, and those with at least this number of Kong's settings. If a
// container has Kong's image, settings count only for init containers: another container next to Kong is a client, such
// as a backup of its database.
func detectKong(pod Pod, settings int) []target {
	hasImage := false
	for candidate := range allContainers(pod) {
		hasImage = hasImage || candidate.runsWithPod() && candidate.container.hasKongImage()
	}
	targets := make([]target, 0, len(pod.InitContainers)+len(pod.Containers))
	for candidate := range allContainers(pod) {
		container := candidate.container
		isClient := hasImage && candidate.runsWithPod()
		if container.hasKongImage() || !isClient && container.Env.KongSettings >= settings && !isController(container) {
			targets = append(targets, candidate)
		}
	}
	return targets
}

// namedContainers returns the containers with these names. With allKong it also returns the detected Kong containers.
func namedContainers(pod Pod, names []string, allKong bool) ([]target, denial.List) {
	var denials denial.List
	detected := map[*Container]bool{}
	if allKong {
		for _, candidate := range detectKong(pod, certainSettings) {
			detected[candidate.container] = true
		}
	}
	missing := make(map[string]bool, len(names))
	for _, name := range names {
		missing[name] = true
	}
	var targets []target
	for candidate := range allContainers(pod) {
		name := candidate.container.Name
		if _, isNamed := missing[name]; !isNamed {
			if detected[candidate.container] {
				targets = append(targets, candidate)
			}
			continue
		}
		missing[name] = false
		if isControllerImage(imageName(candidate.container.Image)) {
			denials = append(denials, denial.New(denial.UnknownContainer,
				"annotation %s: container %q is an ingress controller or operator (image %s); name only containers that run Kong",
				annotations.Containers, name, denial.Quote(candidate.container.Image)))
			continue
		}
		targets = append(targets, candidate)
	}
	for _, name := range names {
		if missing[name] {
			denials = append(denials, denial.New(denial.UnknownContainer,
				"annotation %s: the pod has no container %s; use the names of its containers: %s",
				annotations.Containers, denial.Quote(name), containerNames(pod)))
		}
	}
	return targets, denials
}

// allContainers iterates over init containers and containers.
func allContainers(pod Pod) func(yield func(target) bool) {
	return func(yield func(target) bool) {
		for i := range pod.InitContainers {
			if !yield(target{&pod.InitContainers[i], "/spec/initContainers/" + strconv.Itoa(i)}) {
				return
			}
		}
		for i := range pod.Containers {
			if !yield(target{&pod.Containers[i], "/spec/containers/" + strconv.Itoa(i)}) {
				return
			}
		}
	}
}

func containerNames(pod Pod) string {
	var names []string
	for candidate := range allContainers(pod) {
		names = append(names, candidate.container.Name)
	}
	return denial.QuoteNames(names)
}

// runsWithPod reports whether the container runs as long as the pod: it is a main container or a native sidecar.
func (t target) runsWithPod() bool {
	return t.container.IsSidecar || !t.isInit()
}

func (t target) isInit() bool { return strings.HasPrefix(t.path, "/spec/initContainers/") }

// hasKongImage reports whether the container has the name of Kong's images. Repositories and tags do not matter.
func (c *Container) hasKongImage() bool {
	switch imageName(c.Image) {
	case "kong", "kong-gateway":
		return true
	}
	return false
}

// isController detects Kong's ingress controller and operators. They have their own images, and variables named
// CONTROLLER_... (fact K19).
func isController(container *Container) bool {
	return isControllerImage(imageName(container.Image)) || container.Env.HasController
}

func isControllerImage(name string) bool {
	switch name {
	case "kubernetes-ingress-controller", "nightly-ingress-controller", "kong-ingress-controller",
		"gateway-operator", "gateway-operator-oss", "kong-operator":
		return true
	}
	return false
}

// imageName returns the last path element of an image, without its tag and digest.
func imageName(image string) string {
	name := image[strings.LastIndexByte(image, '/')+1:]
	if end := strings.IndexAny(name, ":@"); end >= 0 {
		name = name[:end]
	}
	return name
}
