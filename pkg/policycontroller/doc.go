// Package policycontroller keeps the parts of the cluster up to date that depend on PluginPolicies.
//
//	PluginPolicies                     --Controller--> the webhook for Kong pods without an annotation
//	PluginPolicies, pods, denials      --Controller--> statuses and metrics
//	denials of this replica            --DenialReporter--> statuses
//
// Only the leader runs the Controller. Every replica runs a DenialReporter.
package policycontroller
