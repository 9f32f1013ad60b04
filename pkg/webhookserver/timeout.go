package webhookserver

import (
	"context"
	"strings"
	"time"
)

// Timeout returns when a request of a Server began, and how long its client waits for the answer. The context is that
// of the request. For other contexts, ok is false.
func Timeout(ctx context.Context) (began time.Time, timeout time.Duration, ok bool) {
	connection, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return time.Time{}, 0, false
	}
	return connection.began, connection.timeout, true
}

// clientTimeout returns how long the client of a request waits. An API server says that in the query: "timeout=5s". The
// result is at most the limit, because a hostile client can say anything.
func clientTimeout(query string, limit time.Duration) time.Duration {
	for parameter := range strings.SplitSeq(query, "&") {
		text, found := strings.CutPrefix(parameter, "timeout=")
		if !found {
			continue
		}
		if announced, err := time.ParseDuration(text); err == nil && announced > 0 {
			return min(announced, limit)
		}
	}
	return limit
}
