package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// serveCluster is the part of an API server that the webhook uses.
func serveCluster(writer http.ResponseWriter, request *http.Request) {
	writer.Header().Set("Content-Type", "application/json")
	var answer string
	switch query := request.URL.Query(); request.URL.Path {
	case "/api":
		answer = `{"kind":"APIVersions","versions":["v1"]}`
	case "/apis":
		answer = `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`
	case "/api/v1":
		answer = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[{"name":"configmaps",` +
			`"kind":"ConfigMap","namespaced":true,"verbs":["list","watch"]}]}`
	case "/api/v1/configmaps", "/api/v1/namespaces/kong/configmaps":
		switch {
		case query.Has("sendInitialEvents"):
			writer.WriteHeader(http.StatusUnprocessableEntity)
			answer = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"list ` +
				`first"}`
		case query.Has("watch"):
			writer.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(writer).Flush()
			<-request.Context().Done()
			return
		default:
			answer = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1"},` +
				`"items":[{"metadata":{"namespace":"kong","name":"dao-test",` +
				`"labels":{"kongdao.io/plugin":"dao-test"}},"immutable":true,"data":{"handler.lua":"return {}",` +
				`"schema.lua":"return { fields = {} }"}}]}`
		}
	default:
		writer.WriteHeader(http.StatusNotFound)
		answer = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
	}
	_, _ = io.WriteString(writer, answer)
}

func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x",`+
		`"context":{"cluster":"x"}}],"clusters":[{"name":"x","cluster":{"server":%q}}]}`, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddress returns an address with a free port.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// certificate creates a folder with a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (folder string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder, roots = t.TempDir(), x509.NewCertPool()
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: made},
		"tls.key": {Type: "PRIVATE KEY", Bytes: secret}} {
		text := pem.EncodeToMemory(block)
		roots.AppendCertsFromPEM(text)
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder, roots
}
