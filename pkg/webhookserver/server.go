// Package webhookserver serves HTTPS to clients that may be hostile. The server of controller-runtime sets no deadline
// for a body (fact W10). This one limits what a client can hold:
//
//   - time: a TLS handshake, and each request with its body, must be complete within a deadline.
//   - memory: all large bodies share one budget. Small ones are limited by the number of connections.
//   - connections: their number is limited, and no address can lock out another one.
package webhookserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

const (
	// maxBodyBytes is the largest body that the handlers read. A larger body reserves no more than this.
	maxBodyBytes = 7 << 20
	// maxHeaderBytes limits the header of a request. An API server sends less than 1 KiB.
	maxHeaderBytes = 16 << 10
	// idleTimeout is how long a connection stays open between two requests. API servers keep theirs for 90 s too.
	idleTimeout = 90 * time.Second
	// answerTime is how long an answer may take after the deadline of its request, until the client has read it.
	answerTime = 5 * time.Second
	// shutdownTimeout limits how long the server waits for requests in progress. The manager has another limit.
	shutdownTimeout = time.Minute
	// rejectionLogInterval is the shortest time between two log lines about rejected connections.
	rejectionLogInterval = 10 * time.Second
)

// Options are the settings of a Server.
type Options struct {
	// Host and Port are the address to listen on. An empty host means all addresses.
	Host string
	Port int
	// TLS must have GetCertificate.
	TLS *tls.Config
	// RequestTimeout is how long a client may take for a TLS handshake, and for a request with its body.
	RequestTimeout time.Duration
	// MaxConnections limits the open connections.
	MaxConnections int
	// BodyBudget limits the size of all large bodies in memory, in bytes. It must be at least the largest body.
	BodyBudget int64
	Log        logr.Logger
}

// Server is a webhook server for a manager. Handlers are registered as with the server of controller-runtime, so they
// have its metrics.
type Server struct {
	webhook.Server
	options     Options
	budget      *semaphore.Weighted
	connections connections
	started     atomic.Bool
	// lastRejection is when a rejected connection was last logged, in nanoseconds of the Unix time.
	lastRejection atomic.Int64
}

// New returns a server that does not listen yet.
func New(options Options) *Server {
	server := &Server{
		Server: webhook.NewServer(webhook.Options{WebhookMux: http.NewServeMux()}), options: options,
		budget: semaphore.NewWeighted(max(options.BodyBudget, maxBodyBytes)),
	}
	server.connections = connections{max: options.MaxConnections, rejected: server.logRejection}
	return server
}

// Start serves until ctx ends and the requests in progress are answered.
func (s *Server) Start(ctx context.Context) error {
	address := net.JoinHostPort(s.options.Host, strconv.Itoa(s.options.Port))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("open the admission port: %w", err)
	}
	s.options.Log.Info("Serving webhook server", "address", address)
	return s.Serve(ctx, listener, s.options.TLS)
}

// Serve is Start with an open listener, which it closes, and another TLS configuration.
func (s *Server) Serve(ctx context.Context, listener net.Listener, config *tls.Config) error {
	server := s.httpServer()
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	}()
	s.started.Store(true)
	limited := &limitedListener{Listener: listener, connections: &s.connections}
	if err := server.Serve(tls.NewListener(limited, config)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("accept connections: %w", err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("wait for the requests in progress: %w", err)
	}
	return nil
}

func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:     s.limitBody(s.WebhookMux()),
		ConnContext: withConnection,
		// The shortest of these timeouts is also that of the TLS handshake.
		ReadHeaderTimeout: s.options.RequestTimeout,
		ReadTimeout:       s.options.RequestTimeout,
		WriteTimeout:      2*s.options.RequestTimeout + answerTime,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// StartedChecker returns a check that fails until the server accepts connections. It opens none: while clients use all
// connections, a replica that serves them is still ready.
func (s *Server) StartedChecker() healthz.Checker {
	return func(*http.Request) error {
		if !s.started.Load() {
			return errors.New("the webhook server has not been started yet")
		}
		return nil
	}
}

// logRejection logs that a connection was closed because of the limit, but not each time.
func (s *Server) logRejection(address netip.Addr) {
	now, last := time.Now().UnixNano(), s.lastRejection.Load()
	if now-last < int64(rejectionLogInterval) || !s.lastRejection.CompareAndSwap(last, now) {
		return
	}
	s.options.Log.Info("closed a connection, because too many are open; NetworkPolicies can keep other clients away",
		"address", address.String(), "limit", s.options.MaxConnections)
}
