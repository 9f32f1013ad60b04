package admission

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// ServeHTTP reads a review as Pods does, and then lets controller-runtime decode it.
func (w *Workloads) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	start := time.Now()
	body, err := readBody(&bytes.Buffer{}, writer, request)
	if err != nil {
		response := unreadable(err)
		w.Metrics.observe(endpointWorkloads, response, time.Since(start))
		w.Log.Error(err, "workload admission")
		if err := response.write(writer, ""); err != nil {
			w.Log.Error(err, "workload admission")
		}
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json") // readBody has checked it; controller-runtime is stricter
	(&admission.Webhook{Handler: w}).ServeHTTP(writer, request)
}
