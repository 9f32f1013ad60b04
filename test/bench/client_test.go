package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// reviewClient sends reviews with HTTP/1.1 over one connection. The API server uses HTTP/1.1 for the Service of a
// webhook (fact W9).
type reviewClient struct{ http *http.Client }

func newReviewClient(ca []byte) (*reviewClient, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA of the control plane is not a PEM certificate")
	}
	return &reviewClient{&http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{
				RootCAs: pool, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			},
			MaxIdleConnsPerHost: 1,
		},
	}}, nil
}

// post sends a review and returns the response body.
func (c *reviewClient) post(ctx context.Context, url string, review []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(review))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 1 {
		return nil, fmt.Errorf("%s returned %s with %s: %s", url, response.Status, response.Proto, body)
	}
	return body, nil
}
