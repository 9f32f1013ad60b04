package controlplane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// readinessClient calls readiness endpoints.
type readinessClient struct{ http.Client }

// newReadinessClient returns a client with the credentials of config. It has its own connections, because client-go
// never closes those of its clients.
func newReadinessClient(config *rest.Config) (*readinessClient, error) {
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, fmt.Errorf("create a client of the administrator: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true}
	// A request may take long on a busy machine. The timeout leaves time for further requests before startTimeout.
	return &readinessClient{http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// check returns an error unless the URL returns status 200.
func (c *readinessClient) check(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s returned %s: %s", url, response.Status, body)
	}
	return nil
}
