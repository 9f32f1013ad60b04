package certs

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSecretRoundTrip proves that a Secret is read as it was written, in the
// midst of a rotation too.
func TestSecretRoundTrip(t *testing.T) {
	s := settings()
	first := plan(t, s, Material{}, 0, false, day).Material
	rotated := plan(t, s, first, time.Hour, true, day.Add(time.Hour)).Material
	for name, material := range map[string]Material{"new": first, "rotating": rotated} {
		data, err := material.Data()
		if err != nil {
			t.Fatal(err)
		}
		read, wrong := ParseSecret(data)
		again, err := read.Data()
		if err != nil || len(wrong) > 0 {
			t.Fatalf("%s: %v %v", name, err, wrong)
		}
		if diff := cmp.Diff(data, again); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
		if step := plan(t, s, read, 0, false, day.Add(time.Hour)); len(step.Changes) > 0 {
			t.Errorf("%s: read, there is to do %q", name, step.Changes)
		}
	}
}

// TestABrokenSecret proves that whatever stands in a Secret there is a Material,
// and that what is wrong is said with its key.
func TestABrokenSecret(t *testing.T) {
	s := settings()
	good, err := plan(t, s, Material{}, 0, false, day).Material.Data()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := plan(t, s, Material{}, 0, false, day).Material.Data()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key   string
		value []byte
		wrong string
	}{
		"CA of no PEM":          {keyCA, []byte("hello"), `key "ca.crt": holds something that is no PEM block`},
		"CA and more":           {keyCA, append(bytes.Clone(good[keyCA]), "hello"...), `key "ca.crt": holds something`},
		"CA of no certificate":  {keyCA, good[keyPrivate], `key "ca.crt": `},
		"key of no PEM":         {keySigner, []byte("hello"), `key "ca.key": holds no PEM block`},
		"key of another":        {keySigner, foreign[keySigner], `key "ca.key": is not the key of the last certificate in "ca.crt"`},
		"key that is none":      {keySigner, good[keyCA], `key "ca.key": `},
		"serving of no PEM":     {keyServing, []byte("hello"), `key "tls.crt": `},
		"serving's other key":   {keyPrivate, foreign[keyPrivate], `key "tls.crt": `},
		"serving without a key": {keyPrivate, nil, `key "tls.crt": `},
	} {
		t.Run(name, func(t *testing.T) {
			data := maps.Clone(good)
			data[test.key] = test.value
			material, wrong := ParseSecret(data)
			if len(wrong) == 0 || !strings.Contains(wrong[0].Error(), test.wrong) {
				t.Errorf("said %v, want %q", wrong, test.wrong)
			}
			step := plan(t, s, material, 0, false, day)
			if err := s.unusable(step.Material.Serving, step.Material.Trusted, day); err != nil {
				t.Errorf("not mended: %v", err)
			}
		})
	}
	if _, wrong := ParseSecret(nil); len(wrong) > 0 {
		t.Errorf("of nothing is said %v", wrong)
	}
}

// FuzzParseSecret proves that no Secret makes a panic, and that each can be mended.
func FuzzParseSecret(f *testing.F) {
	s := settings()
	step, err := s.Plan(Material{}, 0, false, day)
	if err != nil {
		f.Fatal(err)
	}
	data, err := step.Material.Data()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[keyCA], data[keySigner], data[keyServing], data[keyPrivate])
	f.Add([]byte("x"), []byte(nil), data[keyCA], data[keySigner])
	f.Fuzz(func(t *testing.T, ca, signer, serving, private []byte) {
		material, _ := ParseSecret(map[string][]byte{keyCA: ca, keySigner: signer, keyServing: serving, keyPrivate: private})
		mended := plan(t, s, material, 0, false, day)
		if err := s.unusable(mended.Material.Serving, mended.Material.Trusted, day); err != nil {
			t.Errorf("not mended: %v", err)
		}
	})
}
