package certs

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSecretRoundTrip proves that the data of a Secret can be read and written without a change, also during a
// rotation.
func TestSecretRoundTrip(t *testing.T) {
	s := testSettings()
	initial := plan(t, s, keyPairs{}, 0, false, startTime).keyPairs
	rotating := plan(t, s, initial, time.Hour, true, startTime.Add(time.Hour)).keyPairs
	for name, pairs := range map[string]keyPairs{"initial": initial, "rotating": rotating} {
		written := secretData(t, pairs)
		read, problems := parseSecret(written)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", name, problems)
		}
		if diff := cmp.Diff(written, secretData(t, read)); diff != "" {
			t.Errorf("%s: data changed (-written +read):\n%s", name, diff)
		}
		if plan := plan(t, s, read, 0, false, startTime.Add(time.Hour)); len(plan.changes) > 0 {
			t.Errorf("%s: planned changes %q, want none", name, plan.changes)
		}
	}
}

// TestInvalidSecretIsReportedAndRepaired proves that each invalid key is reported, and that the next plan repairs it.
func TestInvalidSecretIsReportedAndRepaired(t *testing.T) {
	s := testSettings()
	valid := secretData(t, plan(t, s, keyPairs{}, 0, false, startTime).keyPairs)
	foreign := secretData(t, plan(t, s, keyPairs{}, 0, false, startTime).keyPairs)
	for name, test := range map[string]struct {
		key     string
		value   []byte
		problem string
	}{
		"CA is not PEM": {caCertificateKey, []byte("hello"), `key "ca.crt": has text that is not a PEM block`},
		"text after the CA": {
			caCertificateKey, append(bytes.Clone(valid[caCertificateKey]), "hello"...),
			`key "ca.crt": has text that is not a PEM block`,
		},
		"CA is not a certificate": {caCertificateKey, valid[privateKeyKey], `key "ca.crt": `},
		"CA key is not PEM":       {caPrivateKeyKey, []byte("hello"), `key "ca.key": has no PEM block`},
		"CA key of another CA": {
			caPrivateKeyKey, foreign[caPrivateKeyKey],
			`key "ca.key": does not match the last certificate in "ca.crt"`,
		},
		"CA key is not a key":             {caPrivateKeyKey, valid[caCertificateKey], `key "ca.key": `},
		"certificate is not PEM":          {certificateKey, []byte("hello"), `key "tls.crt": `},
		"private key does not match":      {privateKeyKey, foreign[privateKeyKey], `key "tls.crt": `},
		"certificate without private key": {privateKeyKey, nil, `key "tls.crt": `},
	} {
		t.Run(name, func(t *testing.T) {
			data := maps.Clone(valid)
			data[test.key] = test.value
			pairs, problems := parseSecret(data)
			if len(problems) == 0 || !strings.Contains(problems[0].Error(), test.problem) {
				t.Errorf("problems %v, want %q", problems, test.problem)
			}
			repaired := plan(t, s, pairs, 0, false, startTime).keyPairs
			if err := s.checkUsable(repaired.serving, repaired.trustedCAs, startTime); err != nil {
				t.Errorf("not repaired: %v", err)
			}
		})
	}
	if _, problems := parseSecret(nil); len(problems) > 0 {
		t.Errorf("an empty Secret has problems: %v", problems)
	}
}

// FuzzParseSecret proves that no Secret causes a panic, and that the next plan repairs any Secret.
func FuzzParseSecret(f *testing.F) {
	s := testSettings()
	initial, err := s.planRotation(keyPairs{}, 0, false, startTime)
	if err != nil {
		f.Fatal(err)
	}
	data, err := initial.keyPairs.secretData()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[caCertificateKey], data[caPrivateKeyKey], data[certificateKey], data[privateKeyKey])
	f.Add([]byte("x"), []byte(nil), data[caCertificateKey], data[caPrivateKeyKey])
	f.Fuzz(func(t *testing.T, ca, caKey, certificate, privateKey []byte) {
		pairs, _ := parseSecret(map[string][]byte{
			caCertificateKey: ca, caPrivateKeyKey: caKey, certificateKey: certificate, privateKeyKey: privateKey,
		})
		repaired := plan(t, s, pairs, 0, false, startTime).keyPairs
		if err := s.checkUsable(repaired.serving, repaired.trustedCAs, startTime); err != nil {
			t.Errorf("not repaired: %v", err)
		}
	})
}

func secretData(t *testing.T, pairs keyPairs) map[string][]byte {
	t.Helper()
	data, err := pairs.secretData()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
