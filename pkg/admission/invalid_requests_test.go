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

// TestInvalidReviews checks the messages and UIDs of malformed reviews. It also checks which reviews are allowed
// unseen: a webhook that handles more than new pods can block updates and deletions (fact W7).
func TestInvalidReviews(t *testing.T) {
	for name, test := range map[string]struct {
		reason, body string
		// message is the message of the denial, or "" if the review is allowed.
		message string
		noUID   bool
	}{
		"valid": {body: review(), message: "contains a dot",
			reason: "the handler decodes this review and denies it; the others are variants of it"},

		"DELETE": {body: review(`"CREATE"`, `"DELETE"`), reason: "it must always be possible to delete a pod"},
		"DELETE without object": {
			body:   review(`"CREATE"`, `"DELETE"`, `"object":{`, `"object":null,"oldObject":{`),
			reason: "an API server sends this",
		},
		"UPDATE":  {body: review(`"CREATE"`, `"UPDATE"`), reason: "the webhook never changes a running pod"},
		"CONNECT": {body: review(`"CREATE"`, `"CONNECT"`)},
		"UPDATE of a malformed object": {
			body: review(`"CREATE"`, `"UPDATE"`, `"env":[]`, `"env":"x"`), reason: "the object is not decoded",
		},
		"eviction": {body: review(`"operation"`, `"subResource":"eviction","operation"`), reason: "an eviction is not a pod"},
		"ephemeral containers": {
			body: review(`"operation"`, `"subResource":"ephemeralcontainers","operation"`, `"CREATE"`, `"UPDATE"`),
		},
		"another resource": {
			body:   review(`"pods"`, `"widgets"`, `"containers":[`, `"containers":1,"x":[`),
			reason: "if the webhook is registered for other resources, it must not deny them",
		},
		"resource after the object": {
			body: review(`"resource":{"group":"","version":"v1","resource":"pods"},`, "", `"volumes":[]}}`,
				`"volumes":[]}},"resource":{"resource":"pods"}`),
			reason: "members of an object have no order", message: "contains a dot",
		},
		"resource null": {body: review(`{"group":"","version":"v1","resource":"pods"}`, "null")},
		"name with another case": {body: review(`"annotations"`, `"Annotations"`),
			reason: "names are case-sensitive, as in Kubernetes"},
		"duplicate member": {body: review(`"uid":"`, `"uid":"first","uid":"`), message: "contains a dot",
			reason: "the last one counts"},
		"unknown members": {body: review(`"request"`, `"response":{"uid":"x"},"new":[1],"request"`),
			message: "contains a dot"},

		"truncated":      {body: review()[:200], message: "malformed AdmissionReview: jsontext: unexpected EOF"},
		"trailing":       {body: review() + "{}", message: "unexpected text after the JSON value"},
		"trailing brace": {body: review() + "}", message: "malformed AdmissionReview"},
		"no JSON":        {body: "hello", message: "malformed AdmissionReview", noUID: true},
		"null": {body: "null", message: `expected an AdmissionReview of admission.k8s.io/v1, found kind "" of ""`,
			noUID: true},
		"list":      {body: "[]", message: `at "": found [ instead of an object`, noUID: true},
		"not UTF-8": {body: review("proxy", "\xff"), message: "invalid UTF-8"},
		"v1beta1": {body: review("k8s.io/v1", "k8s.io/v1beta1"),
			message: `found kind "AdmissionReview" of "admission.k8s.io/v1beta1"`},
		"another kind": {body: review("AdmissionReview", "TokenReview"),
			message: `found kind "TokenReview" of "admission.k8s.io/v1"`},
		"no request": {body: review(`"request"`, `"other"`), message: "request.uid is missing", noUID: true},
		"request null": {body: `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":null}`,
			message: "request.uid is missing", noUID: true},
		"request list": {body: `{"request":[]}`, message: `at "/request": found [ instead of an object`, noUID: true},
		"no uid":       {body: review(`"uid"`, `"UID"`), message: "request.uid is missing", noUID: true},
		"uid number": {body: review(`"`+reviews.UID+`"`, "7"),
			message: `at "/request/uid": found number instead of a string`, noUID: true},
		"no object":   {body: review(`"object"`, `"thing"`), message: "request.object is missing"},
		"object null": {body: review(`"object":{`, `"object":null,"x":{`), message: "request.object is missing"},
		"object list": {body: review(`"object":{`, `"object":[],"x":{`),
			message: `at "/request/object": found [ instead of an object`},

		"metadata string": {body: review(`"metadata":{`, `"metadata":"x","y":{`),
			message: `at "/request/object/metadata": found string instead of an object`},
		"annotation number": {body: review(`"dao.test"`, "1"),
			message: `at "/request/object/metadata/annotations/kongdao.io~1plugins": found number instead of a string`},
		"containers object": {body: review(`"containers":[`, `"containers":{},"x":[`),
			message: `at "/request/object/spec/containers": found { instead of an array`},
		"container string": {body: review(`[{"name":"proxy"`, `["x",{"name":"proxy"`),
			message: `at "/request/object/spec/containers/0": found string instead of an object`},
		"env string": {body: review(`"env":[]`, `"env":"x"`),
			message: `at "/request/object/spec/containers/0/env": found string instead of an array`},
		"value is an array": {body: review(`"env":[]`, `"env":[{"name":"KONG_PLUGINS","value":[]}]`),
			message: `at "/request/object/spec/containers/0/env/0/value": found [ instead of a string`},
		"volume name is an object": {body: review(`"volumes":[]`, `"volumes":[{},{"name":{}}]`),
			message: `at "/request/object/spec/volumes/1/name": found { instead of a string`},
		"controller is a string": {body: review(`"annotations"`, `"ownerReferences":[{"controller":"true"}],"annotations"`),
			message: `at "/request/object/metadata/ownerReferences/0/controller": found string instead of a boolean`},
		"malformed volume with our name": {body: review(`"volumes":[]`,
			`"volumes":[{"name":"kongdao-dao-test","projected":{"sources":1}}]`), message: `volume "kongdao-dao-test": `},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, cached())
			got := h.post(t, []byte(test.body))
			if got.status != http.StatusOK || got.response.Allowed != (test.message == "") ||
				!strings.Contains(got.message(), test.message) {
				t.Errorf("%s: got status %d and %s", test.reason, got.status, got.body)
			}
			if (got.response.UID == reviews.UID) == test.noUID {
				t.Errorf("got uid %q", got.response.UID)
			}
			if len(h.log.lines) != 1 {
				t.Errorf("logged %s", h.log.all())
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
