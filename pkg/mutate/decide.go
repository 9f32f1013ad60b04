package mutate

import (
	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// Decision is what a pod gets, and from which releases.
type Decision struct {
	Injection
	// Request is what the pod asks for.
	Request annotations.Request
	// Releases are those that the request was resolved to.
	Releases []*catalog.Release
	// Unresolved says that some refusal is the catalog's: where the catalog is
	// a cache, the sources themselves may say otherwise.
	Unresolved bool
}

// Decide goes the whole way of the data, from a pod in a namespace and the
// releases that find yields there to the injection. All that is wrong is said
// at once: the annotations, the catalog and the pod.
func Decide(namespace string, pod Pod, find catalog.Finder) Decision {
	request, refused := annotations.Parse(pod.Annotations)
	releases, unresolved := catalog.Resolve(namespace, request.Plugins, find)
	decision := Decision{
		Injection:  Inject(pod, request, releases),
		Request:    request,
		Releases:   releases,
		Unresolved: len(unresolved) > 0,
	}
	refused = append(append(refused, unresolved...), decision.Refusals...)
	if len(refused) > 0 {
		decision.Injection = Injection{Refusals: refused}
	}
	return decision
}
