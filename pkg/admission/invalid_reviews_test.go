package admission

import (
	"net/http"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/reviews"
)

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
