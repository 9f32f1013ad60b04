// Package policycontroller configures the webhook for policies and writes the statuses of PluginPolicies.
//
//	PluginPolicies                 --Controller--> the webhook for Kong pods without an annotation
//	PluginPolicies, pods, denials  --Controller--> statuses and metrics
//
// Only the leader runs the Controller. The replicas of the webhook report the denials, with package policyeffects.
package policycontroller
