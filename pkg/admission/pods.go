package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/policy"
)

// Pods is the HTTP handler for reviews of pods that are created. It does not use controller-runtime's
// admission.Webhook, so it checks the size, the content type and the API version itself, and recovers from panics.
type Pods struct {
	Cluster *Cluster
	Metrics *Metrics
	Events  *events.Recorder
	Log     logr.Logger

	bodies bodyPool
}

// ServeHTTP answers every request with an AdmissionReview, even a malformed one. If it cannot decide, it answers with a
// Status.
func (p *Pods) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	start := time.Now()
	body := p.bodies.get()
	defer p.bodies.put(body) // the review has no reference to it: see jsonview.New
	review, response := p.handle(body, writer, request)
	if err := response.write(writer, review.uid); err != nil {
		p.Log.Error(err, "pod admission", "uid", review.uid)
	}
	duration := time.Since(start)
	p.Metrics.observe(endpointPods, response, duration)
	p.recordEvents(review, response)
	p.log(review, response, duration)
}

// handle reads a request and decides about its pod. It turns a panic into a failure, because a single pod must not stop
// the webhook.
func (p *Pods) handle(
	buffer *bytes.Buffer, writer http.ResponseWriter, request *http.Request,
) (review podReview, answer response) {
	defer func() {
		if panicked := recover(); panicked != nil {
			p.Log.Error(fmt.Errorf("panic: %v", panicked), "pod admission",
				"uid", review.uid, "stack", string(debug.Stack()))
			answer = failed(errors.New("kongdao had an internal error; see the log of its webhook, and please report it"))
		}
	}()
	body, err := readBody(buffer, writer, request)
	if err != nil {
		return review, unreadable(err)
	}
	if review, err = decodePodReview(body); err != nil {
		return review, malformed(err)
	}
	if !review.createsPod() {
		return review, allowed()
	}
	return review, p.admit(request.Context(), &review)
}

// admit decides about the pod of a review.
func (p *Pods) admit(ctx context.Context, review *podReview) response {
	pod := decision.Pod{Namespace: review.namespace, OwnerKind: review.ownerKind(), View: review.pod}
	decision, err := p.Cluster.admitPod(ctx, pod)
	if err != nil {
		return failed(err)
	}
	if !review.dryRun && p.Cluster.Effects != nil {
		p.Cluster.Effects.RecordEffects(decision.Effects, review.owner())
	}
	answer, err := newResponse(decision)
	if err != nil {
		return failed(err)
	}
	if decision.Effects.Has(policy.WouldDeny) {
		answer.audit = strings.Join(decision.PolicyWarnings, "; ")
	}
	return answer
}

// recordEvents records denials as Events on the pod's controller, because no person sees the response to a controller.
func (p *Pods) recordEvents(review podReview, response response) {
	if review.dryRun || review.controller == nil {
		return
	}
	owner := events.ReferenceTo(review.controller, review.namespace)
	if response.result == resultDenied {
		p.Events.Warn(owner, "PluginsDenied", "CreatePod", response.Result.Message)
	}
	if response.audit != "" {
		p.Events.Warn(owner, "PolicyAudited", "CreatePod", response.audit)
	}
}

// log writes one line for each admission.
func (p *Pods) log(review podReview, response response, duration time.Duration) {
	values := []any{
		"uid", review.uid, "namespace", review.namespace, "name", review.name,
		"dryRun", review.dryRun, "result", string(response.result), "milliseconds", milliseconds(duration),
	}
	switch response.result {
	case resultFailed, resultMalformed:
		p.Log.Error(errors.New(response.Result.Message), "pod admission", values...)
		return
	case resultDenied:
		values = append(values, "reason", string(response.reason), "message", response.Result.Message)
	case resultInjected, resultUnchanged:
		values = append(values, "releases", response.AuditAnnotations[auditReleases])
		if migration := response.AuditAnnotations[auditMigration]; migration != "" {
			values = append(values, "waitsFor", migration)
		}
	}
	p.Log.Info("pod admission", values...)
}

func milliseconds(duration time.Duration) float64 { return float64(duration.Microseconds()) / 1000 }
