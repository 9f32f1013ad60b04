package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// check is one thing that has to hold before the webhook is ready.
type check struct {
	name string
	// holds says in words what is missing yet.
	holds func(*http.Request) error
}

// serveHealth has the manager serve /healthz and /readyz, which say why.
// controller-runtime's own say "reason withheld", and whoever waits for an
// installation wants to know what for.
func serveHealth(ctx context.Context, to ctrl.Manager, address string, checks []check) error {
	if address == "0" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve probes: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(writer, "ok") })
	mux.HandleFunc("/readyz", func(writer http.ResponseWriter, request *http.Request) { answerReady(writer, request, checks) })
	return to.Add(&manager.Server{
		Name: "health", Listener: listener,
		Server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 20},
	})
}

// answerReady has a line for each check.
func answerReady(writer http.ResponseWriter, request *http.Request, checks []check) {
	text, status := "", http.StatusOK
	for _, check := range checks {
		if err := check.holds(request); err != nil {
			text, status = text+fmt.Sprintf("%s: not ready: %v\n", check.name, err), http.StatusServiceUnavailable
			continue
		}
		text += check.name + ": ok\n"
	}
	writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
	writer.Header().Set("X-Content-Type-Options", "nosniff")
	writer.WriteHeader(status)
	fmt.Fprint(writer, text)
}
