package policy

// ConfigurationSuffix is the end of the name of the MutatingWebhookConfiguration for policies. The name begins with the
// name of the installation's MutatingWebhookConfiguration. The installation creates both, the one for policies without
// a webhook. So the controller does not need the right to create configurations, which RBAC cannot restrict to a name,
// and the configuration is removed when policies are turned off.
const ConfigurationSuffix = "-policies"
