package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
)

// result is how an admission ended. It labels the metrics.
type result string

const (
	// resultInjected: the pod was given something.
	resultInjected result = "injected"
	// resultUnchanged: the pod asks for plugins, and has all of them.
	resultUnchanged result = "unchanged"
	// resultIgnored: the pod asks for nothing.
	resultIgnored result = "ignored"
	// resultDenied: the pod cannot have what it asks for.
	resultDenied result = "denied"
	// resultMalformed: the review is none that could be decided on.
	resultMalformed result = "malformed"
	// resultFailed: we could not decide. The webhook's failurePolicy does.
	resultFailed result = "failed"
)

// auditMigration is the audit annotation that names the PluginMigration which a
// pod waits for.
const auditMigration = "migration"

// answer is what an admission came to.
type answer struct {
	result result
	// reason is of a small fixed set, "" where there is nothing to explain.
	reason denial.Reason
	// status is the HTTP status. Only with one that is not 200 does the API
	// server go by the webhook's failurePolicy (W2).
	status   int
	response admissionv1.AdmissionResponse
	// audit is what policies which audit would deny the pod for, "" for nothing.
	audit string
}

// body is what goes over the wire to whoever sent the review of that uid. A
// failure is a Status: of an answer that is not 200 the API server repeats to
// the user the message of a Status, and of anything else only that the server
// had an error.
func (a answer) body(uid string) any {
	if a.status != http.StatusOK {
		failed := *a.response.Result
		failed.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		return failed
	}
	a.response.UID = types.UID(uid)
	return admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: reviewVersion, Kind: "AdmissionReview"},
		Response: &a.response,
	}
}

// allow lets the object be as it is.
func allow() answer {
	return answer{result: resultIgnored, status: http.StatusOK, response: admissionv1.AdmissionResponse{Allowed: true}}
}

// answerDecision makes a decision an answer.
func answerDecision(decision decision.Decision) (answer, error) {
	switch {
	case len(decision.Denials) > 0:
		return answerDenials(decision.Denials), nil
	case len(decision.Request.Plugins) == 0:
		given := allow()
		given.response.Warnings = decision.Warnings
		return given, nil
	}
	given := answer{result: resultUnchanged, status: http.StatusOK, response: admissionv1.AdmissionResponse{
		Allowed:          true,
		Warnings:         decision.Warnings,
		AuditAnnotations: map[string]string{"releases": releaseNames(decision.Releases)},
	}}
	if decision.Migration != "" {
		given.response.AuditAnnotations[auditMigration] = decision.Migration
	}
	if len(decision.Patch) > 0 {
		patch, err := json.Marshal(decision.Patch)
		if err != nil {
			return answer{}, fmt.Errorf("write the patch: %w", err)
		}
		patchType := admissionv1.PatchTypeJSONPatch
		given.result, given.response.Patch, given.response.PatchType = resultInjected, patch, &patchType
	}
	return given, nil
}

func answerDenials(denials denial.List) answer {
	denied := deny(resultDenied, denials.Reason(), http.StatusForbidden, denials.Error())
	denied.response.Result.Reason = metav1.StatusReasonForbidden
	denied.response.AuditAnnotations = map[string]string{"denial": string(denials.Reason())}
	return denied
}

// answerMalformed denies what cannot be read.
func answerMalformed(err error) answer {
	return deny(resultMalformed, "", http.StatusBadRequest, err.Error())
}

// answerFailure says that nothing could be decided, in a way that leaves it to
// the webhook's failurePolicy (W2).
func answerFailure(err error) answer {
	failed := deny(resultFailed, "", http.StatusInternalServerError, err.Error())
	failed.response.Result.Reason = metav1.StatusReasonInternalError
	failed.status = http.StatusInternalServerError
	return failed
}

func deny(result result, reason denial.Reason, code int32, message string) answer {
	return answer{result: result, reason: reason, status: http.StatusOK, response: admissionv1.AdmissionResponse{
		Result: &metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message},
	}}
}

// releaseNames is what an audit log says of a pod: "dao-test@1.1.0 sha256:...".
func releaseNames(releases []*catalog.Release) string {
	var text strings.Builder
	for i, release := range releases {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(release.Plugin)
		if release.Version != "" {
			text.WriteString("@" + release.Version)
		}
		text.WriteString(" " + release.Digest)
	}
	return text.String()
}

// write sends the answer.
func (a answer) write(writer http.ResponseWriter, uid string) error {
	body, err := json.Marshal(a.body(uid))
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.Header().Set("Content-Length", strconv.Itoa(len(body))) // else it comes in chunks
	writer.WriteHeader(a.status)
	if _, err := writer.Write(body); err != nil {
		return fmt.Errorf("send the answer: %w", err)
	}
	// The API server waits for it; what is counted and logged of it can wait.
	if err := http.NewResponseController(writer).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send the answer: %w", err)
	}
	return nil
}
