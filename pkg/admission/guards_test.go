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

// review is a review of a pod that would be denied, were it looked at, with
// some of its text replaced.
func review(replace ...string) string {
	text := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"` + reviews.UID + `",` +
		`"resource":{"group":"","version":"v1","resource":"pods"},"namespace":"kong","operation":"CREATE",` +
		`"object":{"metadata":{"annotations":{"kongdao.io/plugins":"dao.test"}},"spec":{"containers":[{"name":"proxy","env":[]}],"volumes":[]}}}}`
	replaced := strings.NewReplacer(replace...).Replace(text)
	if replaced == text && len(replace) > 0 {
		panic(fmt.Sprintf("nothing is replaced by %q", replace))
	}
	return replaced
}

// TestGuardsOfRequests proves what keeps a request from being read at all.
func TestGuardsOfRequests(t *testing.T) {
	c := goldenCase(t, chartCase)
	valid := string(podReviewOf(t, c.Pod, c.Namespace))
	padded := func(size int) string { return valid + strings.Repeat(" ", size-len(valid)) }
	for name, test := range map[string]struct {
		reason                    string
		method, contentType, body string
		// message is the denial's; "" for what is injected.
		message string
	}{
		"as an API server sends it": {contentType: "application/json", body: valid},
		"charset":                   {reason: "a parameter changes nothing", contentType: "application/json; charset=utf-8", body: valid},
		"upper case":                {reason: "media types have no case", contentType: "Application/JSON", body: valid},
		"at the limit":              {reason: "the limit itself is allowed", contentType: "application/json", body: padded(bodyLimit)},
		"over the limit":            {contentType: "application/json", body: padded(bodyLimit + 1), message: "the AdmissionReview is larger than 7340032 bytes"},
		"GET":                       {method: http.MethodGet, contentType: "application/json", body: valid, message: "expected method POST, not GET"},
		"no content type":           {body: valid, message: `expected content type application/json, not ""`},
		"another content type":      {contentType: "text/plain", body: valid, message: `expected content type application/json, not "text/plain"`},
		"a longer content type":     {contentType: "application/json-patch+json", body: valid, message: `not "application/json-patch+json"`},
		"half a content type":       {contentType: "application/json; charset", body: valid, message: `not "application/json; charset"`},
		"no body":                   {contentType: "application/json", message: "the request has no body; expected an AdmissionReview"},
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

// TestGuardsOfReviews proves what makes a review malformed, with the place in
// the message and the UID in the answer; and what is let through unseen (W7).
func TestGuardsOfReviews(t *testing.T) {
	for name, test := range map[string]struct {
		reason, body string
		// message is the denial's; "" for what is let through.
		message string
		noUID   bool
	}{
		"whole": {body: review(), message: "contains a dot", reason: "the others differ from this one, which is read and denied"},

		"DELETE": {body: review(`"CREATE"`, `"DELETE"`), reason: "a pod must always be deletable"},
		"DELETE without object": {
			body: review(`"CREATE"`, `"DELETE"`, `"object":{`, `"object":null,"oldObject":{`), reason: "as an API server sends it",
		},
		"UPDATE":  {body: review(`"CREATE"`, `"UPDATE"`), reason: "a running pod is never touched"},
		"CONNECT": {body: review(`"CREATE"`, `"CONNECT"`)},
		"UPDATE of an object of another form": {
			body: review(`"CREATE"`, `"UPDATE"`, `"env":[]`, `"env":"x"`), reason: "what is not looked at cannot be malformed",
		},
		"eviction": {body: review(`"operation"`, `"subResource":"eviction","operation"`), reason: "an eviction is no pod"},
		"ephemeral containers": {
			body: review(`"operation"`, `"subResource":"ephemeralcontainers","operation"`, `"CREATE"`, `"UPDATE"`),
		},
		"another resource": {
			body:   review(`"pods"`, `"widgets"`, `"containers":[`, `"containers":1,"x":[`),
			reason: "the webhook may be registered wrongly, and a custom resource have a spec of any form",
		},
		"resource after the object": {
			body:   review(`"resource":{"group":"","version":"v1","resource":"pods"},`, "", `"volumes":[]}}`, `"volumes":[]}},"resource":{"resource":"pods"}`),
			reason: "members have no order", message: "contains a dot",
		},
		"resource null":    {body: review(`{"group":"","version":"v1","resource":"pods"}`, "null")},
		"names by case":    {body: review(`"annotations"`, `"Annotations"`), reason: "names are matched as Kubernetes does"},
		"duplicate member": {body: review(`"uid":"`, `"uid":"first","uid":"`), message: "contains a dot", reason: "the last counts"},
		"unknown members":  {body: review(`"request"`, `"response":{"uid":"x"},"new":[1],"request"`), message: "contains a dot"},

		"truncated":      {body: review()[:200], message: "malformed AdmissionReview: jsontext: unexpected EOF"},
		"trailing":       {body: review() + "{}", message: "unexpected text after the JSON value"},
		"trailing brace": {body: review() + "}", message: "malformed AdmissionReview"},
		"no JSON":        {body: "hello", message: "malformed AdmissionReview", noUID: true},
		"null":           {body: "null", message: `expected an AdmissionReview of admission.k8s.io/v1, not "" of ""`, noUID: true},
		"list":           {body: "[]", message: `at "": found [ instead of an object`, noUID: true},
		"not UTF-8":      {body: review("proxy", "\xff"), message: "invalid UTF-8"},
		"v1beta1":        {body: review("k8s.io/v1", "k8s.io/v1beta1"), message: `not "AdmissionReview" of "admission.k8s.io/v1beta1"`},
		"another kind":   {body: review("AdmissionReview", "TokenReview"), message: `not "TokenReview" of "admission.k8s.io/v1"`},
		"no request":     {body: review(`"request"`, `"wish"`), message: "it has no request with a uid", noUID: true},
		"request null":   {body: `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":null}`, message: "it has no request", noUID: true},
		"request list":   {body: `{"request":[]}`, message: `at "/request": found [ instead of an object`, noUID: true},
		"no uid":         {body: review(`"uid"`, `"UID"`), message: "it has no request with a uid", noUID: true},
		"uid number":     {body: review(`"`+reviews.UID+`"`, "7"), message: `at "/request/uid": found number instead of a string`, noUID: true},
		"no object":      {body: review(`"object"`, `"thing"`), message: "its request to create has no object"},
		"object null":    {body: review(`"object":{`, `"object":null,"x":{`), message: "its request to create has no object"},
		"object list":    {body: review(`"object":{`, `"object":[],"x":{`), message: `at "/request/object": found [ instead of an object`},

		"metadata string":    {body: review(`"metadata":{`, `"metadata":"x","y":{`), message: `at "/request/object/metadata": found string instead of an object`},
		"annotation number":  {body: review(`"dao.test"`, "1"), message: `at "/request/object/metadata/annotations/kongdao.io~1plugins": found number instead of a string`},
		"containers object":  {body: review(`"containers":[`, `"containers":{},"x":[`), message: `at "/request/object/spec/containers": found { instead of an array`},
		"container string":   {body: review(`[{"name":"proxy"`, `["x",{"name":"proxy"`), message: `at "/request/object/spec/containers/0": found string instead of an object`},
		"env string":         {body: review(`"env":[]`, `"env":"x"`), message: `at "/request/object/spec/containers/0/env": found string instead of an array`},
		"variable's value":   {body: review(`"env":[]`, `"env":[{"name":"KONG_PLUGINS","value":[]}]`), message: `at "/request/object/spec/containers/0/env/0/value": found [ instead of a string`},
		"volume's name":      {body: review(`"volumes":[]`, `"volumes":[{},{"name":{}}]`), message: `at "/request/object/spec/volumes/1/name": found { instead of a string`},
		"controller a word":  {body: review(`"annotations"`, `"ownerReferences":[{"controller":"true"}],"annotations"`), message: `at "/request/object/metadata/ownerReferences/0/controller": found string instead of a boolean`},
		"volume of our name": {body: review(`"volumes":[]`, `"volumes":[{"name":"kongdao-dao-test","projected":{"sources":1}}]`), message: `volume "kongdao-dao-test": `},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, cached())
			got := h.post(t, []byte(test.body))
			if got.status != http.StatusOK || got.response.Allowed != (test.message == "") || !strings.Contains(got.message(), test.message) {
				t.Errorf("%s: got status %d and %s", test.reason, got.status, got.body)
			}
			if (got.response.UID == reviews.UID) == test.noUID {
				t.Errorf("answered with uid %q", got.response.UID)
			}
			if len(h.log.lines) != 1 {
				t.Errorf("logged %s", h.log.all())
			}
		})
	}
}

// TestGuardsOfConnections proves that what a client says of its body's length
// is not believed.
func TestGuardsOfConnections(t *testing.T) {
	c := goldenCase(t, chartCase)
	valid := podReviewOf(t, c.Pod, c.Namespace)
	server := httptest.NewServer(newHarness(t, cached(c.Sources...)).pods)
	defer server.Close()
	const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, test := range map[string]struct{ request, message string }{
		"true":      {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(valid), valid), ""},
		"chunked":   {fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, len(valid), valid), ""},
		"too short": {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(valid)-1, valid), "unexpected EOF"},
		"too long":  {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(valid)+1, valid), "read the AdmissionReview: unexpected EOF"},
		"none":      {fmt.Sprintf("%sContent-Length: 0\r\n\r\n", head), "the request has no body"},
		"huge":      {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, 1<<40, valid), "read the AdmissionReview: unexpected EOF"},
		"chunked for ever": {fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", head, bodyLimit+1, bytes.Repeat([]byte(" "), bodyLimit+1)),
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
			if got.status != http.StatusOK || got.response.Allowed != (test.message == "") || !strings.Contains(got.message(), test.message) {
				t.Errorf("got status %d and %s", got.status, got.body)
			}
		})
	}
}
