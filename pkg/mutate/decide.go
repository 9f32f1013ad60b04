package mutate

import (
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// Decision is what a pod gets, and from which releases.
type Decision struct {
	Injection
	// Request is what the pod asks for.
	Request annotations.Request
	// Releases are those that the request was resolved to.
	Releases []*catalog.Release
	// Unresolved names the plugins that the catalog could not give: where the
	// catalog is a cache, the sources themselves may say otherwise.
	Unresolved []string
}

// Decide goes the whole way of the data, from a pod in a namespace and the
// releases that find yields there to the injection. All that is wrong is said
// at once: the annotations, the catalog and the pod.
func Decide(namespace string, pod Pod, find catalog.Finder) Decision {
	request, denied := annotations.Parse(pod.Annotations)
	return DecideRequest(namespace, pod, request, denied, find)
}

// DecideRequest goes the way from a request on, which policies have changed or
// denied.
func DecideRequest(namespace string, pod Pod, request annotations.Request, denied denial.List, find catalog.Finder) Decision {
	releases, unresolved := catalog.Resolve(namespace, request.Plugins, find)
	decision := Decision{
		Injection:  Inject(pod, request, releases),
		Request:    request,
		Releases:   releases,
		Unresolved: unresolvedOf(request.Plugins, releases),
	}
	denied = slices.Concat(denied, unresolved, decision.Denials)
	if len(denied) > 0 {
		decision.Injection = Injection{Denials: denied}
	}
	return decision
}

// unresolvedOf names the plugins that have no release. Releases are in the
// order of the plugins.
func unresolvedOf(plugins []annotations.PluginRef, releases []*catalog.Release) []string {
	if len(plugins) == len(releases) {
		return nil
	}
	var names []string
	for _, plugin := range plugins {
		if len(releases) > 0 && releases[0].Plugin == plugin.Name {
			releases = releases[1:]
			continue
		}
		names = append(names, plugin.Name)
	}
	return names
}
