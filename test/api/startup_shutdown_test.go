package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// TestReadinessNeedsSources checks that a webhook that cannot read the sources keeps running and logs the reason, and
// that it becomes ready when it can read them.
func TestReadinessNeedsSources(t *testing.T) {
	t.Parallel()
	user := unique("no-permissions")
	_, kubeconfig, err := plane.User(user)
	if err != nil {
		t.Fatal(err)
	}
	const reason = `cannot list resource \"configmaps\"`
	waiting := secondWebhook(t, kubeconfig, []string{strings.ReplaceAll(reason, `\`, "")})
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func(context.Context) error {
		log, err := os.ReadFile(waiting.LogFile())
		if err == nil && !bytes.Contains(log, []byte(reason)) {
			err = fmt.Errorf("the log does not have the reason: %s", log)
		}
		return err
	})
	if err := waiting.Ready(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "sources: not ready: not all plugin sources have been read yet") {
		t.Errorf("got readiness %v", err)
	}
	rules := pluginRules(t)
	if _, err := installation.CreateUser(t.Context(), plane, user, rules); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, waiting.Ready)
}

// TestShutdownAnswersRequests checks that a webhook that gets SIGTERM answers the requests in progress, even if it must
// read the API server. It accepts no new connections.
func TestShutdownAnswersRequests(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	kubeconfig := webhookKubeconfig(t)
	for plugins, want := range map[string]func(response *admissionv1.AdmissionResponse) bool{
		"dao-test": func(response *admissionv1.AdmissionResponse) bool { return response.Allowed && len(response.Patch) > 0 },
		// Before the denial, the webhook reads the API server.
		"nope": func(response *admissionv1.AdmissionResponse) bool {
			return !response.Allowed && strings.Contains(response.Result.Message, `no ConfigMap in namespace "`+ns+`"`)
		},
	} {
		t.Run(plugins, func(t *testing.T) {
			stopping := secondWebhook(t, kubeconfig, nil)
			if err := stopping.StartAndWait(t.Context()); err != nil {
				t.Fatal(err)
			}
			var terminating sync.WaitGroup
			t.Cleanup(terminating.Wait)
			upload := startUpload(t, stopping, reviewOf(t, pod(ns, "kong", plugins)))
			var exitErr error
			terminating.Go(func() { exitErr = stopping.Terminate() })
			cluster.Eventually(t, func(context.Context) error {
				connection, err := net.Dial("tcp", stopping.Address())
				if err != nil {
					return nil
				}
				return errors.Join(errors.New("the webhook still accepts connections"), connection.Close())
			})
			status, response := upload.finish(t)
			if status != http.StatusOK || !want(response) {
				t.Errorf("got status %d and %+v", status, response)
			}
			terminating.Wait()
			if exitErr != nil {
				t.Errorf("the webhook exited with %v, want status 0", exitErr)
			}
		})
	}
}

// upload is a request whose body is sent in two halves.
type upload struct {
	connection *tls.Conn
	rest       []byte
}

// startUpload sends the first half of a review.
func startUpload(t *testing.T, to *installation.Webhook, review []byte) *upload {
	t.Helper()
	connection, err := tls.Dial("tcp", to.Address(), tlsConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	half := len(review) / 2
	head := fmt.Sprintf("POST /mutate/pods HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: "+
		"100-continue\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(review))
	if _, err := connection.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	// The server sends this when the handler starts to read the body. From now on the request is in progress.
	const wantContinue = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(wantContinue))
	if _, err := io.ReadFull(connection, got); err != nil || string(got) != wantContinue {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := connection.Write(review[:half]); err != nil {
		t.Fatal(err)
	}
	return &upload{connection, review[half:]}
}

// finish sends the second half and returns the response.
func (u *upload) finish(t *testing.T) (int, *admissionv1.AdmissionResponse) {
	t.Helper()
	if _, err := u.connection.Write(u.rest); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(u.connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil || review.Response == nil {
		t.Fatalf("got %s: %v", response.Status, err)
	}
	return response.StatusCode, review.Response
}
