package rolloutcontroller

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/rollout"
)

// The reasons of Events.
const (
	reasonStarted  = "RolloutStarted"
	reasonComplete = "RolloutComplete"
	reasonHeld     = "RolloutHeld"
	reasonFailed   = "RolloutFailed"
	reasonInvalid  = "RolloutInvalid"
	action         = "RollOut"
)

// reported is what the controller last reported about a workload, so that it reports everything once.
type reported struct {
	// problem is the last reason and message of a workload that cannot move.
	problem string
	// failure is the last failure of a rollout.
	failure string
	// moving is what moves, "" if no rollout was started by this process, or it is complete.
	moving string
}

// setReported stores what is reported about a workload, and forgets workloads without a report.
func (c *Controller) setReported(key workloadKey, now reported) {
	if c.reported == nil {
		c.reported = map[workloadKey]reported{}
	}
	if delete(c.reported, key); now != (reported{}) {
		c.reported[key] = now
	}
}

// nextReported returns what to report about an outcome.
func nextReported(workload *followed, outcome rollout.Outcome, last reported) reported {
	next := reported{failure: outcome.Failure}
	if outcome.State == rollout.Held || outcome.State == rollout.Invalid {
		// The message of a rollout that others wait for changes with each pod.
		next.problem = fmt.Sprint(outcome.State, outcome.Changes, outcome.IsDenied, workload.progress.Done)
	}
	switch {
	case outcome.State == rollout.Moves:
		next.moving = outcome.Message
	case !workload.progress.Done:
		next.moving = last.moving
	}
	return next
}

// report records Events about what changed since the last report, and writes the last of them into the status
// annotation, because Events disappear.
func (c *Controller) report(
	ctx context.Context, key workloadKey, workload *followed, outcome rollout.Outcome,
) error {
	last := c.reported[key]
	now := nextReported(workload, outcome, last)
	c.setReported(key, now)
	about := &corev1.ObjectReference{
		APIVersion: workload.APIVersion, Kind: key.kind, Namespace: key.Namespace, Name: key.Name, UID: workload.UID,
	}
	version := about.DeepCopy() // the API server keeps only one message for each version of the workload
	version.ResourceVersion = workload.ResourceVersion
	status := ""
	inform := func(reason, message string) {
		c.Events.InformRelated(about, version, reason, action, message)
		status = reason + ": " + message
	}
	warn := func(reason, message string) {
		c.Events.WarnRelated(about, version, reason, action, message)
		status = reason + ": " + message
	}
	if last.moving != "" && workload.progress.Done && outcome.IsRolledOut {
		inform(reasonComplete, last.moving)
	}
	if outcome.State == rollout.Moves {
		inform(reasonStarted, "new releases passed all checks, and the workload moves: "+outcome.Message)
	}
	if now.problem != "" && now.problem != last.problem {
		if outcome.State == rollout.Invalid {
			warn(reasonInvalid, outcome.Message)
		} else {
			inform(reasonHeld, outcome.Message)
		}
	}
	if now.failure != "" && now.failure != last.failure {
		warn(reasonFailed, "the rollout does not succeed, and kongdao does not try it again: "+
			strings.TrimSuffix(now.failure, ".")+". Go back with \"kubectl rollout undo\". "+
			"Then the workload can move to a fixed release")
	}
	if status == "" {
		return nil
	}
	return c.writeStatus(ctx, workload, status)
}
