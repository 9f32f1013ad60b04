package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

// UncountedBytes is the size up to which a body needs no part of the budget. Most reviews are smaller. The number of
// connections limits their memory, so large bodies do not delay them.
const UncountedBytes = 32 << 10

// ErrOverloaded means that the server has no memory for the body of a request now.
var ErrOverloaded = errors.New("too many large requests at the same time; try again")

// body is the body of a request. When more than a few bytes of it have arrived, it reserves its whole size in one step.
// If bodies reserved their size bit by bit, many of them could wait for each other and none could end.
type body struct {
	from       io.ReadCloser
	connection *connection
	budget     *semaphore.Weighted
	// size is the announced size of the body, or the largest possible size if none is announced.
	size int64
	// read is how much has been read, and reserved how much of the budget the body has.
	read, reserved int64
	// deadline limits how long the body waits for the budget. It is before the deadline of the request: the memory of a
	// body that could not be completed any more would be wasted.
	deadline time.Time
}

// Read implements io.Reader. It returns an error that wraps ErrOverloaded if the budget is used up.
func (b *body) Read(p []byte) (int, error) {
	if b.size > UncountedBytes && b.reserved == 0 {
		if b.read == UncountedBytes {
			if err := b.reserve(); err != nil {
				return 0, err
			}
		} else {
			p = p[:min(int64(len(p)), UncountedBytes-b.read)]
		}
	}
	n, err := b.from.Read(p)
	b.read += int64(n)
	if err != nil {
		b.connection.answer()
	}
	return n, err
}

func (b *body) reserve() error {
	ctx, cancel := context.WithDeadline(context.Background(), b.deadline)
	defer cancel()
	if err := b.budget.Acquire(ctx, b.size); err != nil {
		return fmt.Errorf("read a request of %d bytes: %w", b.size, ErrOverloaded)
	}
	b.reserved = b.size
	return nil
}

// Close implements io.Closer.
func (b *body) Close() error { return b.from.Close() }

// release gives the part of the budget back.
func (b *body) release() {
	if b.reserved > 0 {
		b.budget.Release(b.reserved)
		b.reserved = 0
	}
}

// limitBody returns a handler that reads bodies within the budget.
func (s *Server) limitBody(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		connection, ok := request.Context().Value(connectionKey{}).(*connection)
		if !ok {
			http.Error(writer, "the connection is unknown", http.StatusInternalServerError)
			return
		}
		size := request.ContentLength
		if size < 0 || size > maxBodyBytes {
			size = maxBodyBytes
		}
		connection.began, connection.timeout = time.Now(), clientTimeout(request.URL.RawQuery, s.options.RequestTimeout)
		connection.body = body{
			from: request.Body, connection: connection, budget: s.budget, size: size,
			deadline: connection.began.Add(connection.timeout / 2),
		}
		request.Body = &connection.body
		if size == 0 {
			connection.answer()
		}
		defer func() {
			connection.body.release()
			connection.waitForClient()
		}()
		handler.ServeHTTP(writer, request)
	})
}
