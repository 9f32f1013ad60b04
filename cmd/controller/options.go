package main

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/process"
	"kongdao.io/kongdao/pkg/scope"
)

// Options are the settings of the controller. Each has a flag.
type Options struct {
	// Options are the settings that the controller shares with the webhook. Migrations and Policies enable controllers,
	// and at least one is necessary. Namespace contains the leader's Lease. The webhook for policies is created from the
	// webhook in WebhookConfiguration.
	process.Options
	// NamespaceSelector is the label selector of the webhooks for namespaces, as text. If it is empty, the controllers
	// work in all namespaces except kube-system and kongdao's own.
	NamespaceSelector string
	// ObjectSelector is the label selector of the webhooks for pods, as text. If it is empty, it selects all pods.
	ObjectSelector string
	// MigrationTimeout limits one migration, MigrationDeadline limits one Job. JobRetention is how long a finished Job is
	// kept.
	MigrationTimeout, MigrationDeadline, JobRetention time.Duration
	// FinishDelay is how long "kong migrations finish" must be possible before it starts.
	FinishDelay time.Duration
	// MigrationHistory is how many PluginMigrations that no pod needs are kept for each database.
	MigrationHistory int
	// JobLabels and JobAnnotations are for the pods of Jobs.
	JobLabels, JobAnnotations map[string]string
	// Prune deletes old releases that nothing uses. PruneKeep is how many of the newest ones stay, PruneMinAge is the age
	// of releases that may go, and PruneInterval is the time between two runs.
	Prune                      bool
	PruneKeep                  int
	PruneMinAge, PruneInterval time.Duration
	// CopyRetention is how long to keep a copy of a library's release that no pod and no policy needs.
	CopyRetention time.Duration
	// KeepCABundle keeps the caBundle of the webhook for policies as it is, because the webhook process writes it.
	KeepCABundle bool
}

// DefaultOptions returns the options of a controller that runs in a cluster.
func DefaultOptions() Options {
	return Options{
		Options:           process.DefaultOptions(),
		MigrationTimeout:  10 * time.Minute,
		MigrationDeadline: 10 * time.Minute,
		FinishDelay:       5 * time.Second,
		MigrationHistory:  10,
		JobRetention:      24 * time.Hour,
		PruneKeep:         3,
		PruneMinAge:       7 * 24 * time.Hour,
		PruneInterval:     time.Hour,
		CopyRetention:     10 * time.Minute,
		KeepCABundle:      true,
	}
}

// scope returns the namespaces to work in.
func (o *Options) scope() (scope.Scope, error) { return scope.New(o.Namespace, o.NamespaceSelector) }

// objectSelector returns which pods the webhooks are called for.
func (o *Options) objectSelector() (labels.Selector, error) {
	selector, err := labels.Parse(o.ObjectSelector)
	if err != nil {
		return nil, fmt.Errorf("object selector %q: %w", o.ObjectSelector, err)
	}
	return selector, nil
}
