// Package policyeffects owns what a replica of the webhook records of the effects of policies on new pods.
//
//	effects on a pod --Recorder--> metrics, and the denials in the statuses of PluginPolicies
//
// Package policycontroller counts running pods and writes the rest of the statuses.
package policyeffects
