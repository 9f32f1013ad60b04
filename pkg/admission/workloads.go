package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/jsonview"
	"kongdao.io/kongdao/pkg/mutate"
)

// Workloads answers reviews of Deployments, StatefulSets and DaemonSets: it
// carries their annotations into the pod template, and says as warnings, to the
// person typing, what the pods would be denied for. It never denies anything.
type Workloads struct {
	Sources *Sources
	// Policies may be nil: then there are none.
	Policies *Policies
	Metrics  *Metrics
	Log      logr.Logger
}

// Handle answers one review.
func (w *Workloads) Handle(ctx context.Context, request admission.Request) admission.Response {
	began := time.Now()
	given := w.guarded(ctx, request)
	took := time.Since(began)
	w.Metrics.observe(endpointWorkloads, given, took)
	w.Log.Info("workload admission", "uid", string(request.UID), "kind", request.Kind.Kind,
		"namespace", request.Namespace, "name", request.Name, "dryRun", request.DryRun != nil && *request.DryRun,
		"result", string(given.result), "reason", string(given.reason), "warnings", given.response.Warnings,
		"milliseconds", float64(took.Microseconds())/1000)
	return admission.Response{AdmissionResponse: given.response}
}

// guarded turns a panic into a warning: controller-runtime would make it a
// denial, and no workload is ever denied.
func (w *Workloads) guarded(ctx context.Context, request admission.Request) (given answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			w.Log.Error(fmt.Errorf("panic: %v", panicked), "workload admission", "uid", string(request.UID), "stack", string(debug.Stack()))
			given = allow().warn(resultFailed, fmt.Sprintf("kongdao failed on this %s, left it alone and wrote why to its log; please report it", request.Kind.Kind))
		}
	}()
	return w.answer(ctx, request)
}

func (w *Workloads) answer(ctx context.Context, request admission.Request) answer {
	given := allow()
	workload, err := decodeWorkload(request.Object.Raw)
	if err != nil {
		return given.warn(resultMalformed, fmt.Sprintf("kongdao cannot read this %s and leaves it alone: %v", request.Kind.Kind, err))
	}
	old, err := decodeWorkload(request.OldObject.Raw)
	if err != nil {
		return given.warn(resultMalformed, fmt.Sprintf("kongdao cannot read what this %s was and leaves it alone: %v", request.Kind.Kind, err))
	}
	carry := annotations.Propagate(workload.template.Annotations, workload.annotations, old.annotations)
	for _, name := range carry.Overridden {
		given.response.Warnings = append(given.response.Warnings,
			annotations.OverrideWarning(name, workload.template.Annotations[name], carry.Set[name], request.Kind.Kind))
	}
	if patch := workload.carry(carry); len(patch) > 0 {
		text, err := json.Marshal(patch)
		if err != nil {
			return given.warn(resultFailed, fmt.Sprintf("kongdao cannot write its patch: %v", err))
		}
		patchType := admissionv1.PatchTypeJSONPatch
		given.result, given.response.Patch, given.response.PatchType = resultInjected, text, &patchType
	}
	return w.preview(ctx, request, workload.template, given)
}

// preview adds to the answer what would be said of the workload's pods.
func (w *Workloads) preview(ctx context.Context, request admission.Request, template mutate.Pod, given answer) answer {
	decision, err := w.decide(ctx, request.Namespace, template)
	if err != nil {
		return given.warn(resultFailed, fmt.Sprintf("kongdao could not see whether the pods can have what they ask for: %v", err))
	}
	if len(decision.Denials) > 0 {
		given.reason = decision.Denials.Reason()
		return given.warn(resultDenied, fmt.Sprintf("the pods of this %s will be denied: %s", request.Kind.Kind, decision.Denials.Error()))
	}
	if given.result == resultIgnored && len(decision.Request.Plugins) > 0 {
		given.result = resultUnchanged
	}
	given.response.Warnings = append(given.response.Warnings, decision.Warnings...)
	return given
}

// decide decides about a pod template. A template has no scheduling gates.
func (w *Workloads) decide(ctx context.Context, namespace string, template mutate.Pod) (decision.Decision, error) {
	policies, err := w.Policies.Of(ctx, namespace)
	if err != nil {
		return decision.Decision{}, err
	}
	return w.Sources.Admit(ctx, decision.Pod{Namespace: namespace, View: template}, decision.Cluster{Policies: policies})
}

// warn ends an answer, which stays allowed, with a warning.
func (a answer) warn(result result, message string) answer {
	a.result = result
	a.response.Warnings = append(a.response.Warnings, message)
	return a
}

// workload is the view of a Deployment, StatefulSet or DaemonSet.
type workload struct {
	annotations map[string]string
	template    mutate.Pod
	hasTemplate bool
}

// decodeWorkload reads a workload; no text, as the old object of a new one is,
// yields an empty one.
func decodeWorkload(text []byte) (workload, error) {
	var read workload
	if len(text) == 0 {
		return read, nil
	}
	d := jsonview.New(text)
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "metadata":
			for ok := d.Object(); ok && d.More(); {
				if string(d.Name()) == "annotations" {
					read.annotations, _ = d.StringMap(annotations.Prefix)
				} else {
					d.Skip()
				}
			}
		case "spec":
			for ok := d.Object(); ok && d.More(); {
				if string(d.Name()) == "template" {
					read.hasTemplate = read.template.Decode(d)
				} else {
					d.Skip()
				}
			}
		default:
			d.Skip()
		}
	}
	d.End()
	return read, d.Err()
}

// carry changes the template's annotations, and yields the operations that
// change the workload alike.
func (w *workload) carry(carry annotations.Propagation) []mutate.Operation {
	// A patch of a template that is not there could not be applied, which would
	// deny the workload; to say what is wrong with it is the API server's.
	if !w.hasTemplate || len(carry.Set) == 0 && len(carry.Remove) == 0 {
		return nil
	}
	patch := mutate.PropagationPatch("/spec/template", w.template, carry)
	w.template.Annotations = maps.Clone(w.template.Annotations)
	if w.template.Annotations == nil {
		w.template.Annotations = map[string]string{}
	}
	maps.Copy(w.template.Annotations, carry.Set)
	for _, name := range carry.Remove {
		delete(w.template.Annotations, name)
	}
	return patch
}
