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
	"kongdao.io/kongdao/pkg/webhookserver"
)

// result is the result of an admission. It is a label of the metrics.
type result string

const (
	// resultInjected means that the object was patched.
	resultInjected result = "injected"
	// resultUnchanged means that the pod requests plugins and already has all of them.
	resultUnchanged result = "unchanged"
	// resultIgnored means that the pod requests no plugins.
	resultIgnored result = "ignored"
	// resultWarned means that a source may be written or deleted, with a warning.
	resultWarned result = "warned"
	// resultDenied means that the pod cannot have what it requests.
	resultDenied result = "denied"
	// resultMalformed means that the review could not be decoded.
	resultMalformed result = "malformed"
	// resultFailed means that the webhook could not decide. The failurePolicy does.
	resultFailed result = "failed"
)

// The keys of audit annotations. The API server adds the name of the webhook in front of them.
const (
	auditReleases  = "releases"
	auditDenial    = "denial"
	auditMigration = "migration"
	auditForced    = "forced"
)

// response is the answer to a review, with what the log and the metrics need.
type response struct {
	admissionv1.AdmissionResponse
	result result
	// reason is the reason of a denial, or "". There is a small fixed set of reasons.
	reason denial.Reason
	// httpStatus is 200 for every decision. The API server applies the failurePolicy only for another status (fact W2).
	httpStatus int
	// audit says why policies in audit mode would deny the pod, or "".
	audit string
}

func allowed() response {
	return response{
		AdmissionResponse: admissionv1.AdmissionResponse{Allowed: true}, result: resultIgnored, httpStatus: http.StatusOK,
	}
}

// newResponse returns the response for a decision.
func newResponse(decision decision.Decision) (response, error) {
	switch {
	case len(decision.Denials) > 0:
		return denied(decision.Denials), nil
	case len(decision.Request.Plugins) == 0:
		ignored := allowed()
		ignored.Warnings = decision.Warnings
		return ignored, nil
	}
	admitted := allowed()
	admitted.result = resultUnchanged
	admitted.Warnings = decision.Warnings
	admitted.AuditAnnotations = map[string]string{auditReleases: describeReleases(decision.Releases)}
	if decision.Migration != "" {
		admitted.AuditAnnotations[auditMigration] = decision.Migration
	}
	if len(decision.Patch) > 0 {
		if err := admitted.setPatch(decision.Patch); err != nil {
			return response{}, err
		}
	}
	return admitted, nil
}

// setPatch sets the patch, which is a list of JSON patch operations.
func (r *response) setPatch(operations any) error {
	patch, err := json.Marshal(operations)
	if err != nil {
		return fmt.Errorf("encode the patch: %w", err)
	}
	r.result, r.Patch, r.PatchType = resultInjected, patch, new(admissionv1.PatchTypeJSONPatch)
	return nil
}

// warn sets the result and adds a warning. The object stays allowed.
func (r *response) warn(result result, format string, args ...any) {
	r.result = result
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// setAudit sets an audit annotation.
func (r *response) setAudit(key, value string) {
	if r.AuditAnnotations == nil {
		r.AuditAnnotations = map[string]string{}
	}
	r.AuditAnnotations[key] = value
}

// deny turns an answer into a denial. It keeps the warnings.
func (r *response) deny(denials denial.List) {
	warnings := r.Warnings
	*r = denied(denials)
	r.Warnings = warnings
}

func denied(denials denial.List) response {
	denied := failure(resultDenied, http.StatusForbidden, denials.Error())
	denied.reason = denials.Reason()
	denied.Result.Reason = metav1.StatusReasonForbidden
	denied.AuditAnnotations = map[string]string{auditDenial: string(denied.reason)}
	return denied
}

// malformed returns the response to a review that cannot be decoded.
func malformed(err error) response {
	return failure(resultMalformed, http.StatusBadRequest, err.Error())
}

// unreadable returns the response to a review that could not be read. An overload is not the fault of the review, so
// the failurePolicy decides.
func unreadable(err error) response {
	if !errors.Is(err, webhookserver.ErrOverloaded) {
		return malformed(err)
	}
	overloaded := failure(resultFailed, http.StatusServiceUnavailable, err.Error())
	overloaded.Result.Reason = metav1.StatusReasonServiceUnavailable
	overloaded.httpStatus = http.StatusServiceUnavailable
	return overloaded
}

// failed returns the response if the webhook cannot decide. Its HTTP status is not 200, because otherwise the API
// server would ignore the failurePolicy and deny the pod (fact W2).
func failed(err error) response {
	failed := failure(resultFailed, http.StatusInternalServerError, err.Error())
	failed.Result.Reason = metav1.StatusReasonInternalError
	failed.httpStatus = http.StatusInternalServerError
	return failed
}

func failure(result result, code int32, message string) response {
	return response{
		AdmissionResponse: admissionv1.AdmissionResponse{
			Result: &metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message},
		},
		result: result, httpStatus: http.StatusOK,
	}
}

// describeReleases describes releases for the audit log: "dao-test@1.1.0 sha256:...".
func describeReleases(releases []*catalog.Release) string {
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

// body returns the HTTP body for the review with this UID. If the webhook could not decide, the body is a Status: the
// API server shows its message to the user. From any other body it would only report that the webhook had an error.
func (r *response) body(uid string) any {
	if r.httpStatus != http.StatusOK {
		status := *r.Result
		status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		return status
	}
	r.UID = types.UID(uid)
	return admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: reviewVersion, Kind: "AdmissionReview"},
		Response: &r.AdmissionResponse,
	}
}

// write sends the response to the review with this UID.
func (r *response) write(writer http.ResponseWriter, uid string) error {
	body, err := json.Marshal(r.body(uid))
	if err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.Header().Set("Content-Length", strconv.Itoa(len(body))) // otherwise the encoding is chunked
	writer.WriteHeader(r.httpStatus)
	if _, err := writer.Write(body); err != nil {
		return fmt.Errorf("send the response: %w", err)
	}
	// Flush now: the API server waits for the response, but not for the log and the metrics.
	if err := http.NewResponseController(writer).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send the response: %w", err)
	}
	return nil
}
