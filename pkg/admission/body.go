package admission

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
)

// maxBodyBytes limits the size of a review. It is the limit of controller-runtime (fact W4), and more than twice the
// maximum size of a pod.
const maxBodyBytes = 7 << 20

// maxPreallocatedBytes limits the memory that is reserved for a review before it arrives. A client that only announces
// a larger body does not get more.
const maxPreallocatedBytes = 64 << 10

// readBody reads the body of a review, and checks the method and the content type.
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
	if size := request.ContentLength; size > 0 && size <= maxPreallocatedBytes {
		body.Grow(int(size) + bytes.MinRead) // ReadFrom needs MinRead bytes of free space to find the end
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(writer, request.Body, maxBodyBytes)); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, fmt.Errorf("the AdmissionReview is larger than %d bytes", maxBodyBytes)
		}
		return nil, fmt.Errorf("read the AdmissionReview: %w", err)
	}
	if body.Len() == 0 {
		return nil, errors.New("the request has no body; expected an AdmissionReview")
	}
	return body.Bytes(), nil
}
