package mutate

import (
	"strconv"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// target is a container that runs Kong, and where the patch finds it.
type target struct {
	container *Container
	// path is the container's JSON pointer: "/spec/containers/1".
	path string
}

// findContainers yields the containers and init containers that run Kong: those
// that the request names, else those that look like it; both where a policy
// wants that.
func findContainers(pod Pod, request annotations.Request) ([]target, denial.List) {
	if request.Containers != nil {
		return namedContainers(pod, request.Containers, request.AllKongContainers)
	}
	targets := make([]target, 0, len(pod.InitContainers)+len(pod.Containers))
	for found := range allContainers(pod) {
		if looksLikeKong(found.container) {
			targets = append(targets, found)
		}
	}
	if len(targets) == 0 {
		return nil, denial.List{denial.New(denial.NoKongContainer,
			"no container of the pod runs Kong: none of %s has a variable KONG_... or an image called kong or kong-gateway; name those that do with annotation %s",
			containerNames(pod), annotations.Containers)}
	}
	return targets, nil
}

// IsKong reports whether some container of the pod looks like Kong.
func IsKong(pod Pod) bool {
	for found := range allContainers(pod) {
		if looksLikeKong(found.container) {
			return true
		}
	}
	return false
}

// namedContainers yields those that are named and, with every, those that look
// like Kong too.
func namedContainers(pod Pod, named []string, every bool) ([]target, denial.List) {
	var denied denial.List
	missing := make(map[string]bool, len(named))
	for _, name := range named {
		missing[name] = true
	}
	var targets []target
	for found := range allContainers(pod) {
		name := found.container.Name
		if _, asked := missing[name]; !asked {
			if every && looksLikeKong(found.container) {
				targets = append(targets, found)
			}
			continue
		}
		missing[name] = false
		if isControllerImage(imageName(found.container.Image)) {
			denied = append(denied, denial.New(denial.UnknownContainer,
				"container %q, which annotation %s names, is an ingress controller or operator (image %s), not Kong; name the containers that run Kong",
				name, annotations.Containers, denial.Quote(found.container.Image)))
			continue
		}
		targets = append(targets, found)
	}
	for _, name := range named {
		if missing[name] {
			denied = append(denied, denial.New(denial.UnknownContainer,
				"container %s, which annotation %s names, is not in the pod; it has %s",
				denial.Quote(name), annotations.Containers, containerNames(pod)))
		}
	}
	return targets, denied
}

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
	for found := range allContainers(pod) {
		names = append(names, found.container.Name)
	}
	return denial.QuoteNames(names)
}

// looksLikeKong decides by image first: a controller beside Kong may well have
// variables named KONG_..., and never is Kong (K19).
func looksLikeKong(container *Container) bool {
	switch imageName(container.Image) {
	case "kong", "kong-gateway":
		return true
	}
	return container.Env.HasKong && !isController(container)
}

// isController recognises Kong's ingress controller and operators: by image,
// and by the variables that only they have (K19).
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

// imageName is the last path element of an image without tag and digest.
func imageName(image string) string {
	name := image[strings.LastIndexByte(image, '/')+1:]
	if end := strings.IndexAny(name, ":@"); end >= 0 {
		name = name[:end]
	}
	return name
}
