package admission

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/reviews"
)

// review returns a review of a pod with an invalid annotation, with some of its text replaced. A handler that decodes
// the pod denies it.
func review(replace ...string) string {
	text := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"` + reviews.UID + `",` +
		`"resource":{"group":"","version":"v1","resource":"pods"},"namespace":"kong","operation":"CREATE",` +
		`"object":{"metadata":{"annotations":{"kongdao.io/plugins":"dao.test"}},"spec":{"containers":[{"name":"proxy",` +
		`"env":[]}],"volumes":[]}}}}`
	replaced := strings.NewReplacer(replace...).Replace(text)
	if replaced == text && len(replace) > 0 {
		panic(fmt.Sprintf("%q replaces nothing", replace))
	}
	return replaced
}

// TestInvalidRequests checks which requests are rejected before their body is decoded.
func TestInvalidRequests(t *testing.T) {
	c := goldenCase(t, chartCase)
	valid := string(podReviewOf(t, c.Pod, c.Namespace))
	padded := func(size int) string { return valid + strings.Repeat(" ", size-len(valid)) }
	for name, test := range map[string]struct {
		reason                    string
		method, contentType, body string
		// message is the message of the denial, or "" if the pod is injected.
		message string
	}{
		"request of an API server": {contentType: "application/json", body: valid},
		"charset": {reason: "parameters are ignored", contentType: "application/json; charset=utf-8",
			body: valid},
		"upper case": {reason: "media types are not case-sensitive", contentType: "Application/JSON",
			body: valid},
		"body at the limit": {reason: "the limit is inclusive", contentType: "application/json",
			body: padded(maxBodyBytes)},
		"body over the limit": {contentType: "application/json", body: padded(maxBodyBytes + 1),
			message: "the AdmissionReview is larger than 7340032 bytes"},
		"GET": {method: http.MethodGet, contentType: "application/json", body: valid,
			message: "expected method POST, not GET"},
		"no content type": {body: valid, message: `expected content type application/json, not ""`},
		"wrong content type": {contentType: "text/plain", body: valid,
			message: `expected content type application/json, not "text/plain"`},
		"longer content type": {contentType: "application/json-patch+json", body: valid,
			message: `not "application/json-patch+json"`},
		"incomplete content type": {contentType: "application/json; charset", body: valid,
			message: `not "application/json; charset"`},
		"no body": {contentType: "application/json",
			message: "the request has no body; expected an AdmissionReview"},
	} {
		t.Run(name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodPost
			}
			request := httptest.NewRequest(method, "/mutate/pods", strings.NewReader(test.body))
			if test.contentType != "" {
				request.Header.Set("Content-Type", test.contentType)
			}
			got := serve(t, newHarness(t, cached(c.Sources...)).pods, request)
			switch {
			case test.message == "" && (len(got.response.Patch) == 0 || got.response.UID != reviews.UID):
				t.Errorf("%s: not injected: %s", test.reason, got.body)
			case test.message != "" && (got.message() != test.message && !strings.Contains(got.message(), test.message) ||
				got.response.UID != "" || got.status != http.StatusOK || got.response.Result.Code != http.StatusBadRequest):
				t.Errorf("got status %d and %s", got.status, got.body)
			}
		})
	}
}

// TestContentLengthIsNotTrusted checks bodies that differ from their announced length.
func TestContentLengthIsNotTrusted(t *testing.T) {
	c := goldenCase(t, chartCase)
	valid := podReviewOf(t, c.Pod, c.Namespace)
	server := httptest.NewServer(newHarness(t, cached(c.Sources...)).pods)
	defer server.Close()
	const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, test := range map[string]struct{ request, message string }{
		"correct":   {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(valid), valid), ""},
		"chunked":   {fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, len(valid), valid), ""},
		"too short": {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(valid)-1, valid), "unexpected EOF"},
		"too long": {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(valid)+1, valid),
			"read the AdmissionReview: unexpected EOF"},
		"zero": {fmt.Sprintf("%sContent-Length: 0\r\n\r\n", head), "the request has no body"},
		"huge": {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, 1<<40, valid),
			"read the AdmissionReview: unexpected EOF"},
		"endless chunks": {fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", head, maxBodyBytes+1,
			bytes.Repeat([]byte(" "), maxBodyBytes+1)),
			"larger than 7340032 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if _, err := io.WriteString(connection, test.request); err != nil {
				t.Fatal(err)
			}
			if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			got := reply{status: response.StatusCode, response: parse(t, body), body: body}
			if got.status != http.StatusOK || got.response.Allowed != (test.message == "") ||
				!strings.Contains(got.message(), test.message) {
				t.Errorf("got status %d and %s", got.status, got.body)
			}
		})
	}
}
