package admission

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"

	"kongdao.io/kongdao/pkg/webhookserver"
)

// maxBodyBytes limits the size of a review. It is the limit of controller-runtime (fact W4), and more than twice the
// maximum size of a pod.
const maxBodyBytes = 7 << 20

// bodyPool keeps the memory of small bodies for later requests. The body of a review is half of the memory that its
// admission allocates. The zero value is empty and ready to use. It is safe for concurrent use.
type bodyPool struct{ pool sync.Pool }

func (p *bodyPool) get() *bytes.Buffer {
	if body, ok := p.pool.Get().(*bytes.Buffer); ok {
		return body
	}
	return &bytes.Buffer{}
}

// put keeps the memory of a body that nothing refers to.
func (p *bodyPool) put(body *bytes.Buffer) {
	if body.Cap() <= 2*webhookserver.UncountedBytes {
		body.Reset()
		p.pool.Put(body)
	}
}

// readBody reads the body of a review into an empty buffer, and checks the method and the content type.
func readBody(body *bytes.Buffer, writer http.ResponseWriter, request *http.Request) ([]byte, error) {
	if request.Method != http.MethodPost {
		return nil, fmt.Errorf("expected method POST, not %s", request.Method)
	}
	contentType := request.Header.Get("Content-Type")
	if contentType != "application/json" {
		if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
			return nil, fmt.Errorf("expected content type application/json, not %q", contentType)
		}
	}
	limited := http.MaxBytesReader(writer, request.Body, maxBodyBytes)
	if err := readAll(body, limited, request.ContentLength); err != nil {
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
