package policyeffects

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// Recorder counts the effects of policies on new pods, and reports denials in the statuses of policies. The labels of
// the metric are names of policies, which administrators choose, and words of a small fixed set.
type Recorder struct {
	admissions *prometheus.CounterVec
	denials    denialReporter
}

// NewRecorder returns a Recorder with a registered metric. The replica is the name of this replica's pod. The client
// writes to the API server.
func NewRecorder(
	registry prometheus.Registerer, replica string, to client.Client, now func() time.Time,
) (*Recorder, error) {
	recorder := &Recorder{
		admissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kongdao_policy_admissions_total",
			Help: "Effects of policies on new pods, or with mode Audit the effects that they would have.",
		}, []string{"policy", "effect"}),
		denials: denialReporter{replica: replica, client: to, now: now},
	}
	if err := registry.Register(recorder.admissions); err != nil {
		return nil, fmt.Errorf("register the metric of policies' effects: %w", err)
	}
	return recorder, nil
}

// RecordEffects records the effects of policies on a pod of the workload.
func (r *Recorder) RecordEffects(effects policy.Effects, owner v1alpha1.WorkloadReference) {
	for _, effect := range effects {
		r.admissions.WithLabelValues(effect.Policy, string(effect.Kind)).Inc()
	}
	r.denials.record(effects.Policies(policy.Denied, policy.WouldDeny), owner)
}

// Start reports denials until ctx ends. It implements the manager's Runnable.
func (r *Recorder) Start(ctx context.Context) error {
	r.denials.run(ctx)
	return nil
}

// NeedLeaderElection returns false: every replica denies pods.
func (r *Recorder) NeedLeaderElection() bool { return false }
