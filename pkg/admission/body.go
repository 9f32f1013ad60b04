package admission

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"kongdao.io/kongdao/pkg/webhookserver"
)

// maxBodyBytes limits the size of a review. It is the limit of controller-runtime (fact W4), and more than twice the
// maximum size of a pod.
const maxBodyBytes = 7 << 20

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
	limited := http.MaxBytesReader(writer, request.Body, maxBodyBytes)
	if err := readAll(&body, limited, request.ContentLength); err != nil {
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

// readAll reads a body of an announced size. It allocates the memory for a large body only when the first byte over
// webhookserver.UncountedBytes has arrived: then the body has its part of the server's budget. A client that only
// announces a large body does not get the memory. The allocation is one step, because a buffer that grows step by step
// needs three times as much.
func readAll(into *bytes.Buffer, from io.Reader, size int64) error {
	if size > 0 && size <= maxBodyBytes {
		// ReadFrom needs MinRead bytes to find the end.
		into.Grow(int(min(size, webhookserver.UncountedBytes)) + bytes.MinRead)
	}
	if size > webhookserver.UncountedBytes && size <= maxBodyBytes {
		if _, err := into.ReadFrom(io.LimitReader(from, webhookserver.UncountedBytes+1)); err != nil {
			return err
		}
		into.Grow(int(size) - into.Len() + bytes.MinRead)
	}
	_, err := into.ReadFrom(from)
	return err
}
