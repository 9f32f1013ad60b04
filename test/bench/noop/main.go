// Command noop is a controller-runtime webhook that allows each request without decoding the object. Benchmarks compare
// kongdao with it. It can also set one label, and store a review of the API server, so that a benchmark can send it
// again.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	admissionv1 "k8s.io/api/admission/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	certDir := flag.String("cert-dir", "", "directory with tls.crt and tls.key")
	port := flag.Int("port", 0, "port of the webhook")
	metrics := flag.String("metrics-address", "", "HOST:PORT that serves /metrics")
	capture := flag.String("capture", "", "file for the last review sent to /capture")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())

	allow := admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Allowed("")
	})
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: *port, CertDir: *certDir})
	noop := &webhook.Admission{Handler: allow}
	server.Register("/noop", noop)
	label := admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		response, patchType := admission.Allowed(""), admissionv1.PatchTypeJSONPatch
		response.Patch = []byte(`[{"op":"add","path":"/metadata/labels/bench","value":"true"}]`)
		response.PatchType = &patchType
		return response
	})
	server.Register("/label", &webhook.Admission{Handler: label})
	server.Register("/capture", http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err == nil {
			err = os.WriteFile(*capture, body, 0o600)
		}
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		noop.ServeHTTP(writer, request)
	}))
	metricsServer := &http.Server{Addr: *metrics, Handler: promhttp.Handler(), ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = metricsServer.Close()
	}()
	failed := make(chan error, 1)
	go func() { failed <- server.Start(ctx) }()
	if err := metricsServer.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-failed
}
