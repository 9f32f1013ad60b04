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

	"kongdao.io/kongdao/test/installation"
)

// TestReadyOnlyWhenSourcesAreKnown proves that a webhook which cannot read
// the sources stays up, says why, and is ready once it can.
func TestReadyOnlyWhenSourcesAreKnown(t *testing.T) {
	t.Parallel()
	user := unique("late")
	_, kubeconfig, err := plane.User(user)
	if err != nil {
		t.Fatal(err)
	}
	const why = `cannot list resource \"configmaps\"`
	waiting := second(t, kubeconfig, []string{strings.ReplaceAll(why, `\`, "")})
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(context.Context) error {
		log, err := os.ReadFile(waiting.LogFile())
		if err == nil && !bytes.Contains(log, []byte(why)) {
			err = fmt.Errorf("the log does not say why: %s", log)
		}
		return err
	})
	if err := waiting.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "sources: not ready: not all plugin sources have been read yet") {
		t.Errorf("ready: %v", err)
	}
	rules, err := installation.WebhookRules()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := installation.CreateUser(t.Context(), plane, user, rules); err != nil {
		t.Fatal(err)
	}
	eventually(t, waiting.Ready)
}

// TestAdmissionsInFlightAreAnswered proves that one which is told to stop first
// answers whoever waits for it, also where it has to ask the cluster, and takes
// nobody else.
func TestAdmissionsInFlightAreAnswered(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	_, kubeconfig, err := plane.User(installation.WebhookUser)
	if err != nil {
		t.Fatal(err)
	}
	for plugins, want := range map[string]func(answer *admissionv1.AdmissionResponse) bool{
		"dao-test": func(answer *admissionv1.AdmissionResponse) bool { return answer.Allowed && len(answer.Patch) > 0 },
		// Whether there is such a plugin is for the cluster itself to say.
		"nope": func(answer *admissionv1.AdmissionResponse) bool {
			return !answer.Allowed && strings.Contains(answer.Result.Message, `no ConfigMap in namespace "`+ns+`"`)
		},
	} {
		t.Run(plugins, func(t *testing.T) {
			stopping := second(t, kubeconfig, nil)
			if err := stopping.StartAndWait(t.Context()); err != nil {
				t.Fatal(err)
			}
			var terminating sync.WaitGroup
			t.Cleanup(terminating.Wait)
			upload := startUpload(t, stopping, reviewOf(t, pod(ns, "kong", plugins)))
			var ended error
			terminating.Go(func() { ended = stopping.Terminate() })
			eventually(t, func(context.Context) error {
				connection, err := net.Dial("tcp", stopping.Address())
				if err != nil {
					return nil
				}
				return errors.Join(errors.New("it still takes connections"), connection.Close())
			})
			status, answer := upload.finish(t)
			if status != http.StatusOK || !want(answer) {
				t.Errorf("answered %d %+v", status, answer)
			}
			terminating.Wait()
			if ended != nil {
				t.Errorf("ended with %v, want exit status 0", ended)
			}
		})
	}
}

// upload is a review of which half is sent.
type upload struct {
	connection *tls.Conn
	rest       []byte
}

func startUpload(t *testing.T, to *installation.Webhook, review []byte) *upload {
	t.Helper()
	connection, err := tls.Dial("tcp", to.Address(), tlsConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	half := len(review) / 2
	head := fmt.Sprintf("POST /mutate/pods HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(review))
	if _, err := connection.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	// The server asks for the body when the handler begins to read it: from
	// then on the admission is in flight.
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	answer := make([]byte, len(goOn))
	if _, err := io.ReadFull(connection, answer); err != nil || string(answer) != goOn {
		t.Fatalf("%q %v", answer, err)
	}
	if _, err := connection.Write(review[:half]); err != nil {
		t.Fatal(err)
	}
	return &upload{connection, review[half:]}
}

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
		t.Fatalf("answered %s: %v", response.Status, err)
	}
	return response.StatusCode, review.Response
}
