// Package mutate owns the injection: what a pod that asks for plugins gets.
//
//	pod as JSON --DecodePod--> Pod
//	Pod.Annotations --annotations.Parse--> Request
//	Request, sources --catalog.Resolve--> releases
//	Pod, Request, releases --Inject--> Injection: patch and warnings, or denials
//
// Package decision takes these steps. There, policies may change the request.
//
// Pod is a view: only what the injection decides on. The patch operations are
// made for exactly what changes, so whatever else a pod holds, also fields that
// no API type here knows, stays as it is (fact W1).
//
// The package is pure: no client, no clock, no context. Inject decides from the
// pod's structure and never from the marks that an earlier injection left, so
// that injecting twice is injecting once and a forged mark fools nobody.
package mutate
