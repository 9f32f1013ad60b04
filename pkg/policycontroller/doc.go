// Package policycontroller configures the webhook for policies and writes the statuses of PluginPolicies.
//
//	PluginPolicies                 --Controller------> the webhook for Kong pods without an annotation
//	PluginPolicies, pods, denials  --Controller------> statuses and metrics
//	denials of this replica        --DenialReporter--> statuses
//
// Only the leader runs the Controller. Every replica runs a DenialReporter.
package policycontroller
