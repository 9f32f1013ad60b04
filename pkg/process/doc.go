// Package process owns what kongdao's processes have in common: the webhook and the controller. These are the command
// line, the log, the client configuration, the probes and the errors about missing CRDs.
package process
