package controlplane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"

	"kongdao.io/kongdao/test/process"
)

// asker asks addresses until they answer as hoped.
type asker struct {
	client *http.Client
}

// newAsker returns an asker that comes as the user of config. Its connections are its own, for client-go keeps those of
// its clients open for good.
func newAsker(config *rest.Config) (*asker, error) {
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for the administrator: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true}
	// A first answer can take long on a busy machine, but not hearing it must not use up the time to start.
	return &asker{client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

func (a *asker) close() { a.client.CloseIdleConnections() }

// waitFor returns when url answers with 200. It gives up when ctx ends, or the process that is to bring that about does.
func (a *asker) waitFor(ctx context.Context, url string, p *process.Process) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := a.ask(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-p.Done():
			return p.Ended()
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: last asked: %w; its last lines:\n%s", p.Name(), context.Cause(ctx), err, p.LastLines())
		}
	}
}

func (a *asker) ask(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s: %s", url, response.Status, body)
	}
	return nil
}
