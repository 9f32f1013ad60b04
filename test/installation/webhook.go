package installation

import (
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
)

// Webhook is a webhook process.
type Webhook struct {
	Program
	// Admin is a client of a cluster administrator.
	Admin client.WithWatch

	address string
}

// NewWebhook prepares a webhook process without starting it. It writes a serving certificate to dir, which must exist,
// and chooses free ports. The process uses the kubeconfig.
func NewWebhook(
	plane *controlplane.ControlPlane, program, dir, kubeconfig string, flags ...string,
) (*Webhook, error) {
	admin, err := newAdmin(plane)
	if err != nil {
		return nil, err
	}
	prepared, err := newProgram("webhook", program, dir, kubeconfig)
	if err != nil {
		return nil, err
	}
	w := &Webhook{Program: prepared, Admin: admin, address: localAddress(prepared.port)}
	w.arguments = append(append(w.arguments,
		"--cert-dir", dir, "--host", loopback, "--port", strconv.Itoa(prepared.port)), flags...)
	return w, w.WriteCertificate(plane)
}

// Address returns the HOST:PORT of the webhook's HTTPS server.
func (w *Webhook) Address() string { return w.address }

// URL returns the URL of a path of the webhook's HTTPS server.
func (w *Webhook) URL(path string) string { return "https://" + w.address + path }
