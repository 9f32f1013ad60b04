// Package admission contains the webhook's HTTP handlers.
//
//	AdmissionReview -> decode -> decision.Admit -> patch and warnings, or a denial
//
// Pods answers /mutate/pods. Every gateway's start depends on it, so it decodes only what the decision needs, in one
// pass. Workloads answers /mutate/workloads, and warns the people who change a workload. Sources answers
// /validate/sources, and warns the people who delete a release. All find releases in a cache. Before they deny a pod,
// they look for missing sources in the API server, because a ConfigMap can be newer than the cache.
package admission
