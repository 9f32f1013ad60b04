package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// ReadinessCheck is a condition for the process to be ready.
type ReadinessCheck struct {
	Name string
	// Check returns an error that says what is not ready.
	Check healthz.Checker
}

// ServeHealth makes the manager serve /healthz and /readyz. The handlers of controller-runtime do not say why a check
// fails ("reason withheld"). These do, so that you can see what an installation waits for. Address "0" disables them.
func ServeHealth(ctx context.Context, to ctrl.Manager, address string, checks []ReadinessCheck) error {
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
func serveReadiness(writer http.ResponseWriter, request *http.Request, checks []ReadinessCheck) {
	text, status := "", http.StatusOK
	for _, readiness := range checks {
		if err := readiness.Check(request); err != nil {
			text += fmt.Sprintf("%s: not ready: %v\n", readiness.Name, err)
			status = http.StatusServiceUnavailable
			continue
		}
		text += readiness.Name + ": ok\n"
	}
	writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
	writer.Header().Set("X-Content-Type-Options", "nosniff")
	writer.WriteHeader(status)
	fmt.Fprint(writer, text)
}

// CheckSynced returns a check that fails with a message until a cache is synced.
func CheckSynced(synced func() bool, message string) healthz.Checker {
	return func(*http.Request) error {
		if !synced() {
			return errors.New(message)
		}
		return nil
	}
}
