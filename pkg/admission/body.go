package admission

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// maxBodyBytes limits the size of a review. It is the limit of controller-runtime (fact W4), and more than twice the
// maximum size of a pod.
const maxBodyBytes = 7 << 20

// maxPreallocatedBytes limits the memory that is reserved for a review before it arrives. A client that only announces
// a larger body does not get more.
const maxPreallocatedBytes = 32 << 10

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

// readAll reads a body of an announced size. It reserves the memory for a large body only when the first part of it has
// arrived. Then it reserves the whole size in one step: a buffer that grows step by step would need three times as
// much.
func readAll(into *bytes.Buffer, from io.Reader, size int64) error {
	if size > 0 && size <= maxBodyBytes {
		into.Grow(int(min(size, maxPreallocatedBytes)) + bytes.MinRead) // ReadFrom needs MinRead bytes to find the end
	}
	if size > maxPreallocatedBytes && size <= maxBodyBytes {
		if _, err := into.ReadFrom(io.LimitReader(from, maxPreallocatedBytes)); err != nil {
			return err
		}
		into.Grow(int(size) - into.Len() + bytes.MinRead)
	}
	_, err := into.ReadFrom(from)
	return err
}
