// Package decision owns the whole decision about one pod.
//
//	pod          --mutate.DecodePod-----> view of the pod
//	annotations  --annotations.Parse----> what the pod requests
//	policies     --policy.ApplyPolicies-> what the pod gets, and from where
//	releases     --catalog.Resolve------> one release for each plugin
//	view         --mutate.Inject--------> patch and warnings, or denials
//	copies, database ------------------> scheduling gates
//
// Admit takes all these steps. The webhook and the kubectl plugin call it, so that both decide in the same way.
//
// The package is pure: no client, no clock, no context. What it must know about the cluster comes with Cluster.
package decision
