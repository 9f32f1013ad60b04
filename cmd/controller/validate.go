package main

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/process"
)

// Validate returns all mistakes in the options, sorted and one per line. Each begins with its flag.
func (o *Options) Validate() error {
	return process.Join(o.Options.Validate(), o.validateScope(), o.validateMigrations(), o.validatePolicies(),
		o.validatePrune())
}

func (o *Options) validateScope() process.Problems {
	var found process.Problems
	if !o.Migrations && !o.Policies {
		found.Add("--migrations, --policies: the controller has nothing to do; set at least one of the flags")
	}
	if invalid := validation.IsDNS1123Label(o.Namespace); len(invalid) > 0 {
		found.Add("--namespace %q: invalid namespace, and it must contain the Lease of the leader: %s", o.Namespace,
			invalid[0])
	}
	if _, err := o.scope(); err != nil {
		found.Add("--namespace-selector: %w", err)
	}
	if _, err := o.objectSelector(); err != nil {
		found.Add("--object-selector: %w", err)
	}
	if o.NamespaceSelector != "" && len(o.WatchNamespaces) > 0 {
		found.Add("--namespace-selector: cannot be used with --watch-namespaces, which lists the namespaces; " +
			"remove one of the flags")
	}
	return found
}

func (o *Options) validateMigrations() process.Problems {
	if !o.Migrations {
		return nil
	}
	var found process.Problems
	for flag, value := range map[string]time.Duration{
		"--migration-timeout": o.MigrationTimeout, "--migration-deadline": o.MigrationDeadline,
		"--job-retention": o.JobRetention,
	} {
		if value < time.Second {
			found.Add("%s %v: must be at least 1s", flag, value)
		}
	}
	if o.MigrationDeadline < o.MigrationTimeout {
		found.Add("--migration-deadline %v: must be at least --migration-timeout (%v)", o.MigrationDeadline,
			o.MigrationTimeout)
	}
	if o.FinishDelay < 0 {
		found.Add("--finish-delay %v: must be at least 0s", o.FinishDelay)
	}
	if o.MigrationHistory < 0 {
		found.Add("--migration-history %d: must be at least 0", o.MigrationHistory)
	}
	for name, value := range o.JobLabels {
		invalid := append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...)
		found.AddInvalid("--job-labels", name+"="+value, "label", invalid)
	}
	for name := range o.JobAnnotations {
		found.AddInvalid("--job-annotations", name, "annotation name", validation.IsQualifiedName(name))
	}
	return found
}

func (o *Options) validatePrune() process.Problems {
	var found process.Problems
	if !o.Prune {
		return found
	}
	if o.PruneKeep < 1 {
		found.Add("--prune-keep %d: must be at least 1", o.PruneKeep)
	}
	if o.PruneMinAge < 0 {
		found.Add("--prune-min-age %v: must be at least 0s", o.PruneMinAge)
	}
	if o.PruneInterval < time.Second {
		found.Add("--prune-interval %v: must be at least 1s", o.PruneInterval)
	}
	return found
}

func (o *Options) validatePolicies() process.Problems {
	if !o.Policies {
		return nil
	}
	var found process.Problems
	if o.CopyRetention < time.Second {
		found.Add("--copy-retention %v: must be at least 1s", o.CopyRetention)
	}
	invalid := validation.IsDNS1123Subdomain(o.WebhookConfiguration)
	found.AddInvalid("--webhook-configuration", o.WebhookConfiguration, "name", invalid)
	return found
}
