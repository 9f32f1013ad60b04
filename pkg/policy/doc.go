// Package policy owns what a platform team decides about plugins, and how several policies apply to one pod.
//
//	PluginPolicy                              --Compile------> Policy
//	policies of a namespace, pod, its request --ApplyPolicies-> Outcome: the changed request, or denials
//
// The rules of combination, which no order of policies changes:
//
//  1. A policy counts for a namespace that its namespaceSelector takes. What it
//     allows counts for every pod there; its plugins for the Kong pods that its
//     podSelector takes.
//  2. A pod gets what its annotation asks for, in that order, then what policies
//     want, by name.
//  3. Whoever names a version of a plugin decides it for those who name none. Two
//     who name different ones are denied, both named.
//  4. An annotation may ask for what every policy with a list allows. What a
//     policy itself wants, as it wants it, is allowed.
//  5. A pod with kongdao.io/inject: "false" does without the plugins of policies
//     that let it.
//  6. A plugin that a policy with a library wants comes from that library alone;
//     any other from the libraries of the namespace's policies where one has it,
//     else from the pod's own namespace.
//  7. A policy that audits is combined with all others, and changes nothing: what
//     would be otherwise is said.
//
// The package is pure: no client, no clock, no context.
package policy
