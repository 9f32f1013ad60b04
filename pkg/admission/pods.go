package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/policy"
)

// bodyLimit bounds a review, in bytes: what controller-runtime takes (W4), and
// more than twice what the API server lets a pod be.
const bodyLimit = 7 << 20

// usualBody is the size, in bytes, up to which room is made for a review before
// it arrives. A client that only claims to send more gets no more.
const usualBody = 64 << 10

// Pods answers reviews of pods that are created. It is an http.Handler of its
// own, so the guards that controller-runtime gives its admission.Handler are
// here: size, content type, API version, panics.
type Pods struct {
	Sources *Sources
	// Policies may be nil: then there are none.
	Policies *Policies
	// Migrated reports whether a PluginMigration of a namespace is known to be
	// migrated, so that the pods which need it may start. Without it no pod waits
	// for a migration.
	Migrated func(ctx context.Context, namespace, record string) (bool, error)
	Metrics  *Metrics
	Events   *events.Recorder
	Log      logr.Logger
}

// ServeHTTP answers one review with one review, also a body which is none. Only
// where nothing could be decided is the answer a Status instead.
func (p *Pods) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	began := time.Now()
	review, answer := p.answer(writer, request)
	if err := answer.write(writer, review.uid); err != nil {
		p.Log.Error(err, "pod admission", "uid", review.uid)
	}
	took := time.Since(began)
	p.Metrics.observe(endpointPods, answer, took)
	p.tell(review, answer)
	p.log(review, answer, took)
}

// tell tells a pod's controller, for nobody sees the answer that it got; a person
// reads it.
func (p *Pods) tell(review podReview, answer answer) {
	if review.dryRun || review.controller == nil {
		return
	}
	owner := events.ReferenceTo(review.controller, review.namespace)
	if answer.result == resultDenied {
		p.Events.Warn(owner, "PluginsDenied", "CreatePod", answer.response.Result.Message)
	}
	if answer.audit != "" {
		p.Events.Warn(owner, "PolicyAudited", "CreatePod", answer.audit)
	}
}

// answer decides, and turns a panic into a failure: one pod must not end the
// webhook for all others.
func (p *Pods) answer(writer http.ResponseWriter, request *http.Request) (review podReview, given answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			p.Log.Error(fmt.Errorf("panic: %v", panicked), "pod admission", "uid", review.uid, "stack", string(debug.Stack()))
			given = answerFailure(errors.New("kongdao failed on this pod and wrote why to its log; please report it"))
		}
	}()
	body, err := readBody(writer, request)
	if err != nil {
		return review, answerMalformed(err)
	}
	if review, err = decodePodReview(body); err != nil {
		return review, answerMalformed(err)
	}
	if !review.creates() {
		return review, allow()
	}
	decision, err := p.decide(request.Context(), &review)
	if err != nil {
		return review, answerFailure(err)
	}
	if !review.dryRun {
		p.Policies.report(decision.Effects, review.owner())
	}
	if given, err = answerDecision(decision); err != nil {
		return review, answerFailure(err)
	}
	if decision.Effects.Has(policy.WouldDeny) {
		given.audit = strings.Join(decision.PolicyWarnings, "; ")
	}
	return review, given
}

// decide decides about the pod of a review.
func (p *Pods) decide(ctx context.Context, review *podReview) (decision.Decision, error) {
	policies, err := p.Policies.Of(ctx, review.namespace)
	if err != nil {
		return decision.Decision{}, err
	}
	cluster := decision.Cluster{Policies: policies, HasCopies: p.Sources.HasCopies}
	if p.Migrated != nil {
		cluster.IsMigrated = func(namespace, name string) (bool, error) { return p.Migrated(ctx, namespace, name) }
	}
	pod := decision.Pod{Namespace: review.namespace, OwnerKind: review.ownerKind(), View: review.pod}
	return p.Sources.Admit(ctx, pod, cluster)
}

func readBody(writer http.ResponseWriter, request *http.Request) ([]byte, error) {
	if request.Method != http.MethodPost {
		return nil, fmt.Errorf("expected method POST, not %s", request.Method)
	}
	contentType := request.Header.Get("Content-Type")
	if contentType != "application/json" {
		if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
			return nil, fmt.Errorf("expected content type application/json, not %q", contentType)
		}
	}
	var body bytes.Buffer
	if size := request.ContentLength; size > 0 && size <= usualBody {
		body.Grow(int(size) + bytes.MinRead) // room for the read that finds the end
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(writer, request.Body, bodyLimit)); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, fmt.Errorf("the AdmissionReview is larger than %d bytes", bodyLimit)
		}
		return nil, fmt.Errorf("read the AdmissionReview: %w", err)
	}
	if body.Len() == 0 {
		return nil, errors.New("the request has no body; expected an AdmissionReview")
	}
	return body.Bytes(), nil
}

// log writes the one line of an admission.
func (p *Pods) log(review podReview, answer answer, took time.Duration) {
	values := []any{
		"uid", review.uid, "namespace", review.namespace, "name", review.name,
		"dryRun", review.dryRun, "result", string(answer.result), "milliseconds", float64(took.Microseconds()) / 1000,
	}
	switch answer.result {
	case resultFailed, resultMalformed:
		p.Log.Error(errors.New(answer.response.Result.Message), "pod admission", values...)
		return
	case resultDenied:
		values = append(values, "reason", string(answer.reason), "message", answer.response.Result.Message)
	case resultInjected, resultUnchanged:
		values = append(values, "releases", answer.response.AuditAnnotations["releases"])
		if record := answer.response.AuditAnnotations[auditMigration]; record != "" {
			values = append(values, "waitsFor", record)
		}
	}
	p.Log.Info("pod admission", values...)
}
