// Package rolloutcontroller moves workloads to new releases, if an annotation or a policy asks for it. Package rollout
// decides, and this package reads and writes objects.
//
// It changes five annotations of a workload and its pod template, and nothing else, by server-side apply with its own
// field managers. So it has no conflict with Argo CD or Flux, which apply manifests without these annotations.
package rolloutcontroller
