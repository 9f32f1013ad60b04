package main

import "github.com/spf13/pflag"

// AddFlags adds a flag for every option.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	o.Options.AddFlags(flags)
	o.addServingFlags(flags)
	o.addCertificateFlags(flags)
	flags.BoolVar(&o.Migrations, "migrations", o.Migrations, "let pods wait for the migrations that the controller runs")
	flags.BoolVar(&o.RequireMigrations, "require-migrations", o.RequireMigrations,
		"with --migrations: deny pods with migrations that kongdao cannot run, instead of a warning")
	flags.BoolVar(&o.Policies, "policies", o.Policies, "apply PluginPolicies")
}

func (o *Options) addServingFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Host, "host", o.Host, "address to serve admissions on; if empty, all addresses")
	flags.IntVar(&o.Port, "port", o.Port, "port to serve admissions on")
	flags.DurationVar(&o.AdmissionTimeout, "admission-timeout", o.AdmissionTimeout,
		"how long the API server waits for an answer: timeoutSeconds of the MutatingWebhookConfiguration")
	flags.IntVar(&o.MaxConnections, "max-connections", o.MaxConnections, "limit of open connections to --port")
	flags.StringVar(&o.TLSMinVersion, "tls-min-version", o.TLSMinVersion, "minimum TLS `version`: 1.2 or 1.3")
	flags.StringVar(&o.ClientCA, "client-ca", o.ClientCA,
		"`file` in --cert-dir with a CA; if set, the webhook serves only clients with a certificate of this CA")
	flags.DurationVar(&o.ShutdownTimeout, "shutdown-timeout", o.ShutdownTimeout,
		"how long to wait at shutdown for admissions in progress")
}

func (o *Options) addCertificateFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.CertProvider, "cert-provider", o.CertProvider,
		"source of the serving certificate: self (the webhook creates a CA and signs), cert-manager or files")
	flags.StringVar(&o.CertIssuer, "cert-issuer", o.CertIssuer,
		"for cert-manager: existing issuer, `KIND/NAME`, with the kind Issuer or ClusterIssuer; if empty, the webhook "+
			"creates issuers")
	flags.StringVar(&o.CertDir, "cert-dir", o.CertDir, "for files: `folder` with the serving certificate and its key")
	flags.StringVar(&o.CertName, "cert-name", o.CertName, "for files: `file` in --cert-dir with the certificate")
	flags.StringVar(&o.KeyName, "key-name", o.KeyName, "for files: `file` in --cert-dir with the key")
	flags.StringVar(&o.CertSecret, "cert-secret", o.CertSecret,
		"for self and cert-manager: Secret in --namespace that stores the certificate")
	flags.StringVar(&o.CertService, "cert-service", o.CertService,
		"for self and cert-manager: Service in --namespace through which the API server calls the webhook")
	flags.StringSliceVar(&o.CertNames, "cert-names", o.CertNames,
		"for self and cert-manager: additional DNS names in the certificate")
	flags.DurationVar(&o.CALifetime, "ca-lifetime", o.CALifetime,
		"for self and cert-manager: validity of the CA; it is renewed when one third is left")
	flags.DurationVar(&o.CertLifetime, "cert-lifetime", o.CertLifetime,
		"for self and cert-manager: validity of the serving certificate; it is renewed when one third is left")
	flags.StringVar(&o.WebhookConfiguration, "webhook-configuration", o.WebhookConfiguration,
		"for self and cert-manager: name of the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration whose "+
			"caBundle the webhook keeps up to date")
}
