package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// readinessCheck is a condition for the webhook to be ready.
type readinessCheck struct {
	name string
	// check returns an error that says what is not ready.
	check healthz.Checker
}

// serveHealth makes the manager serve /healthz and /readyz. The handlers of controller-runtime do not say why a check
// fails ("reason withheld"). These do, so that you can see what an installation waits for.
func serveHealth(ctx context.Context, to ctrl.Manager, address string, checks []readinessCheck) error {
	if address == "0" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve probes: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(writer, "ok") })
	mux.HandleFunc("/readyz", func(writer http.ResponseWriter, request *http.Request) {
		serveReadiness(writer, request, checks)
	})
	return to.Add(&manager.Server{
		Name: "health", Listener: listener,
		Server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 20},
	})
}

// serveReadiness writes one line for each check.
func serveReadiness(writer http.ResponseWriter, request *http.Request, checks []readinessCheck) {
	text, status := "", http.StatusOK
	for _, readiness := range checks {
		if err := readiness.check(request); err != nil {
			text += fmt.Sprintf("%s: not ready: %v\n", readiness.name, err)
			status = http.StatusServiceUnavailable
			continue
		}
		text += readiness.name + ": ok\n"
	}
	writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
	writer.Header().Set("X-Content-Type-Options", "nosniff")
	writer.WriteHeader(status)
	fmt.Fprint(writer, text)
}
