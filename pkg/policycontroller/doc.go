// Package controller owns what policies need beside decisions: the shell around
// package policy.
//
//	PluginPolicies --Follow--> policy.Index, which every replica decides by
//	PluginPolicies --Controller--> the webhook configuration for pods that ask for nothing, and statuses
//	pods that wait, libraries --Library--> copies of releases, and the gates lifted
//
// Follow is every replica's; the leader alone does the rest.
package policycontroller
