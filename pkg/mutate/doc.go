// Package mutate owns the injection: how a pod gets the plugins that were resolved for it.
//
//	pod as JSON            --DecodePod------------> Pod
//	Pod.Annotations        --annotations.Parse----> Request
//	Request, sources       --catalog.Resolve------> releases
//	Pod, Request, releases --Inject---------------> Injection: patch and warnings, or denials
//
// Package decision takes these steps. There, policies may change the request.
//
// Pod is a view: it has only what an injection reads. The patch changes only what has to change. Everything else in the
// pod stays as it is. A patch that is computed from typed objects would remove fields that the API types here do not
// know (fact W1).
//
// The package is pure: no client, no clock, no context. Inject reads the structure of the pod, never the injection
// record of an earlier injection. Injecting twice gives the same result as injecting once, and a forged record has no
// effect.
package mutate
