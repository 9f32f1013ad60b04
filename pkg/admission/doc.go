// Package admission owns the webhook's handlers: the shell around the core.
//
//	AdmissionReview -> decode -> decision.Admit -> patch and warnings, or a denial
//
// Pods answers /mutate/pods, the way that every gateway's start depends on: it
// reads the review once, into only what the decision needs. Workloads answers
// /mutate/workloads, where people type. Both ask Sources for releases: a cache
// of what the cluster's ConfigMaps hold, and the cluster itself before anything
// is denied for a source that the cache may not have seen yet.
package admission
