package admission

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/rollout"
)

// Workloads handles reviews of Deployments, StatefulSets and DaemonSets. It copies their annotations to the pod
// template. If their pods would be denied, it warns the person who changes the workload. It never denies a workload.
type Workloads struct {
	Cluster *Cluster
	Metrics *Metrics
	Log     logr.Logger
}

// ServeHTTP implements http.Handler.
func (w *Workloads) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	w.reviewer().ServeHTTP(writer, request)
}

func (w *Workloads) reviewer() reviewer {
	return reviewer{endpointWorkloads, "workload", w.Metrics, w.Log, w.admit, "did not change this object"}
}

// admit propagates the annotations of a workload, and checks its pod template.
func (w *Workloads) admit(ctx context.Context, request admission.Request) response {
	answer, kind := allowed(), request.Kind.Kind
	workload, err := decodeWorkload(request.Object.Raw)
	if err != nil {
		answer.warn(resultMalformed, "kongdao cannot read this %s and does not change it: %v", kind, err)
		return answer
	}
	old, err := decodeWorkload(request.OldObject.Raw)
	if err != nil {
		answer.warn(resultMalformed, "kongdao cannot read the old version of this %s and does not change it: %v", kind, err)
		return answer
	}
	propagation := annotations.Propagate(workload.template.Annotations, workload.annotations, old.annotations)
	for _, name := range propagation.Overridden {
		answer.Warnings = append(answer.Warnings, annotations.OverrideWarning(
			name, workload.template.Annotations[name], propagation.Set[name], kind))
	}
	var decided *decision.Decision
	if workload.hasTemplate {
		decided = w.pin(ctx, request, &workload, &old, &propagation, &answer)
	}
	if patch := workload.propagate(propagation); len(patch) > 0 {
		if err := answer.setPatch(patch); err != nil {
			answer.warn(resultFailed, "kongdao cannot change this %s: %v", kind, err)
			return answer
		}
	}
	if decided == nil {
		decision, err := w.Cluster.admitTemplate(ctx, decision.Pod{Namespace: request.Namespace, View: workload.template})
		if err != nil {
			answer.warn(resultFailed, "kongdao cannot check whether the pods can have what they request: %v", err)
			return answer
		}
		decided = &decision
	}
	if value := workload.annotations[annotations.Rollout]; value != old.annotations[annotations.Rollout] {
		answer.Warnings = append(answer.Warnings, w.rolloutWarnings(value)...)
	}
	if value := workload.annotations[annotations.Releases]; value != "" && value != old.annotations[annotations.Releases] {
		answer.Warnings = append(answer.Warnings, fmt.Sprintf("annotation %s has no effect on a %s, only in its pod "+
			"template; move the workload with \"kubectl kongdao upgrade\"", annotations.Releases, kind))
	}
	addWarnings(request.Kind.Kind, &workload, decided, &answer)
	return answer
}

// rolloutWarnings returns what is wrong with a value of annotation kongdao.io/rollout.
func (w *Workloads) rolloutWarnings(value string) []string {
	isAuto, err := rollout.ParseMode(value)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("annotation %s: %v", annotations.Rollout, err)}
	case isAuto && !w.Cluster.RunsRollouts:
		return []string{fmt.Sprintf("annotation %s has no effect: set rollouts.enabled to true in kongdao's chart, or move "+
			"the workload with \"kubectl kongdao upgrade\"", annotations.Rollout)}
	}
	return nil
}

// addWarnings adds the warnings and denials that the workload's pods would get to the response, as warnings.
func addWarnings(kind string, workload *workload, decision *decision.Decision, answer *response) {
	switch {
	case len(decision.Denials) > 0:
		answer.reason = decision.Denials.Reason()
		answer.warn(resultDenied, "the pods of this %s will be denied: %v", kind, decision.Denials)
	default:
		if answer.result == resultIgnored && len(decision.Request.Plugins) > 0 {
			answer.result = resultUnchanged
		}
		answer.Warnings = append(answer.Warnings, decision.Warnings...)
		if seconds := workload.progressDeadline; decision.NeedsMigration && seconds > 0 && seconds < minProgressDeadline {
			answer.Warnings = append(answer.Warnings, fmt.Sprintf("progressDeadlineSeconds is %d, and a migration can take "+
				"longer: kubectl rollout status, Helm and Argo CD then report a failure, although the rollout continues; set it "+
				"to at least %d", seconds, minProgressDeadline))
		}
	}
}

// minProgressDeadline is the default of progressDeadlineSeconds. It is also how long a Job waits for a database by
// default.
const minProgressDeadline = 600
