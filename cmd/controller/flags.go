package main

import "github.com/spf13/pflag"

// AddFlags adds a flag for every option.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	o.Options.AddFlags(flags)
	flags.StringVar(&o.NamespaceSelector, "namespace-selector", o.NamespaceSelector,
		"label `selector` of the namespaces to work in, for example team=gateways; it must be that of the webhooks; "+
			"kube-system and --namespace are always excluded")
	flags.StringVar(&o.ObjectSelector, "object-selector", o.ObjectSelector,
		"label `selector` of the pods that the webhooks are called for; it must be that of the webhooks")
	o.addMigrationFlags(flags)
	o.addPolicyFlags(flags)
	o.addPruneFlags(flags)
}

func (o *Options) addPruneFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.Prune, "prune", o.Prune, "delete old immutable releases that nothing uses")
	flags.IntVar(&o.PruneKeep, "prune-keep", o.PruneKeep, "how many of the newest releases of each plugin to keep")
	flags.DurationVar(&o.PruneMinAge, "prune-min-age", o.PruneMinAge, "age of the releases that --prune may delete")
	flags.DurationVar(&o.PruneInterval, "prune-interval", o.PruneInterval, "time between two runs of --prune")
}

func (o *Options) addMigrationFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.Migrations, "migrations", o.Migrations,
		"run the plugins' migrations in Jobs, and remove the gates of the pods that wait for them")
	flags.DurationVar(&o.MigrationTimeout, "migration-timeout", o.MigrationTimeout, "time limit of one migration")
	flags.DurationVar(&o.MigrationDeadline, "migration-deadline", o.MigrationDeadline,
		"how long a Job retries while the database is unreachable or locked")
	flags.DurationVar(&o.FinishDelay, "finish-delay", o.FinishDelay,
		"how long all pods must allow \"kong migrations finish\" before it starts")
	flags.IntVar(&o.MigrationHistory, "migration-history", o.MigrationHistory,
		"how many PluginMigrations that no pod needs to keep for each database")
	flags.DurationVar(&o.JobRetention, "job-retention", o.JobRetention, "how long to keep a finished Job")
	o.addJobMetadataFlags(flags)
}

func (o *Options) addPolicyFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.Policies, "policies", o.Policies,
		"maintain the webhook for policies, the statuses of PluginPolicies and the copies of libraries")
	flags.DurationVar(&o.CopyRetention, "copy-retention", o.CopyRetention,
		"how long to keep a copy of a library's release that no pod and no policy needs")
	flags.StringVar(&o.WebhookConfiguration, "webhook-configuration", o.WebhookConfiguration,
		"MutatingWebhookConfiguration of the installation; the webhook for policies is created from it")
	flags.BoolVar(&o.KeepCABundle, "keep-ca-bundle", o.KeepCABundle,
		"do not change the caBundle of the webhook for policies; false for the provider files, where the controller "+
			"copies it from --webhook-configuration")
}
