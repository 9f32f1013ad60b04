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

// findTargets returns the containers and init containers that run Kong. These are the ones that the request names, or
// else the ones that it detects. If a policy requires all Kong containers, it returns both.
func findTargets(pod Pod, request annotations.Request) ([]target, denial.List) {
	if request.Containers != nil {
		return namedContainers(pod, request.Containers, request.AllKongContainers)
	}
	targets := make([]target, 0, len(pod.InitContainers)+len(pod.Containers))
	for candidate := range allContainers(pod) {
		if runsKong(candidate.container) {
			targets = append(targets, candidate)
		}
	}
	if len(targets) == 0 {
		return nil, denial.List{denial.New(denial.NoKongContainer,
			"the pod has no Kong container: none of %s has an image named kong or kong-gateway, or a KONG_ variable; "+
				"name the Kong containers in the annotation %s", containerNames(pod), annotations.Containers)}
	}
	return targets, nil
}

// IsKong reports whether a container of the pod runs Kong.
func IsKong(pod Pod) bool {
	for candidate := range allContainers(pod) {
		if runsKong(candidate.container) {
			return true
		}
	}
	return false
}

// namedContainers returns the containers with these names. With allKong it also returns the detected Kong containers.
func namedContainers(pod Pod, names []string, allKong bool) ([]target, denial.List) {
	var denials denial.List
	missing := make(map[string]bool, len(names))
	for _, name := range names {
		missing[name] = true
	}
	var targets []target
	for candidate := range allContainers(pod) {
		name := candidate.container.Name
		if _, isNamed := missing[name]; !isNamed {
			if allKong && runsKong(candidate.container) {
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

// runsKong detects a Kong container. The image decides first: an ingress controller may have variables named KONG_...,
// but it does not run Kong.
func runsKong(container *Container) bool {
	switch imageName(container.Image) {
	case "kong", "kong-gateway":
		return true
	}
	return container.Env.HasKong && !isController(container)
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
