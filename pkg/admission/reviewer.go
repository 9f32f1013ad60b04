package admission

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// reviewer answers reviews whose failures become warnings. It reads reviews as Pods does, and then
// lets controller-runtime decode them.
type reviewer struct {
	// endpoint is a label of metrics, and object is what it reviews: "workloads" and "workload".
	endpoint, object string
	metrics          *Metrics
	log              logr.Logger
	admit            func(context.Context, admission.Request) response
	// omitted says what did not happen if admit fails: "did not change this object".
	omitted string
}

// ServeHTTP implements http.Handler.
func (r reviewer) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	start := time.Now()
	body, err := readBody(&bytes.Buffer{}, writer, request)
	if err != nil {
		response := unreadable(err)
		r.metrics.observe(r.endpoint, response, time.Since(start))
		r.log.Error(err, r.object+" admission")
		if err := response.write(writer, ""); err != nil {
			r.log.Error(err, r.object+" admission")
		}
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json") // readBody has checked it; controller-runtime is stricter
	(&admission.Webhook{Handler: r}).ServeHTTP(writer, request)
}

// Handle implements admission.Handler.
func (r reviewer) Handle(ctx context.Context, request admission.Request) admission.Response {
	start := time.Now()
	response := r.handle(ctx, request)
	duration := time.Since(start)
	r.metrics.observe(r.endpoint, response, duration)
	r.log.Info(r.object+" admission", "uid", string(request.UID), "operation", string(request.Operation),
		"kind", request.Kind.Kind, "namespace", request.Namespace, "name", request.Name,
		"dryRun", request.DryRun != nil && *request.DryRun, "result", string(response.result),
		"reason", string(response.reason), "warnings", response.Warnings, "milliseconds", milliseconds(duration))
	return admission.Response{AdmissionResponse: response.AdmissionResponse}
}

// handle turns a panic into a warning. Without that, controller-runtime would deny the object.
func (r reviewer) handle(ctx context.Context, request admission.Request) (answer response) {
	defer func() {
		if panicked := recover(); panicked != nil {
			r.log.Error(fmt.Errorf("panic: %v", panicked), r.object+" admission",
				"uid", string(request.UID), "stack", string(debug.Stack()))
			answer = allowed()
			answer.warn(resultFailed, "kongdao had an internal error and %s; see the log of its webhook, and please report it",
				r.omitted)
		}
	}()
	return r.admit(ctx, request)
}
