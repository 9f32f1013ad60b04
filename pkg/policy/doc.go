// Package policy owns what a platform team decides about plugins, and how several policies apply to one pod.
//
//	PluginPolicy                              --Compile------> Policy
//	policies of a namespace, pod, its request --ApplyPolicies-> Outcome: the changed request, or denials
//
// The order of the policies does not matter. The rules are:
//
//  1. A policy applies to the namespaces that its namespaceSelector selects. Its allowed list applies to every pod
//     there, its plugins to the Kong pods that its podSelector selects.
//  2. A pod gets what its annotation requests, in that order, and then what policies require, sorted by name.
//  3. A version that an annotation or a policy names also applies to those that name none. Two different versions are
//     a conflict: the pod is denied, and the denial names both.
//  4. An annotation may request a plugin if every policy with an allowed list allows it. A plugin is also allowed if a
//     policy requires it in the same version.
//  5. A pod with kongdao.io/inject: "false" opts out of the plugins of all policies that permit this.
//  6. A plugin that a policy with a library requires comes only from that library. Other plugins come from the
//     libraries of the namespace's policies, or from the pod's namespace if no library has them.
//  7. A policy with mode Audit changes nothing. kongdao simulates it together with all other policies, and reports
//     what would change.
//
// The package is pure: no client, no clock, no context.
package policy
