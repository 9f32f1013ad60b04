// Package decision owns the whole decision about one pod.
//
//	pod as JSON         --mutate.DecodePod------> view of the pod
//	its annotations     --annotations.Parse-----> what the pod requests
//	request, policies   --policy.ApplyPolicies--> what the pod gets, and from where
//	request, releases   --catalog.Resolve-------> one release for each plugin
//	view, releases      --mutate.Inject---------> patch and warnings, or denials
//	copies, migrations  ------------------------> scheduling gates in the patch
//
// Admit takes the steps from the annotations on. The webhook and the kubectl plugin call it, so that both decide in the
// same way.
//
// The package is pure: no client, no clock, no context. What it must know about the cluster comes with Cluster.
package decision
