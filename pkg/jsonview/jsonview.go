// Package jsonview owns the reading of a few fields out of a large JSON text
// in one pass: what nobody asks for is checked to be JSON, skipped and never
// kept. Decoding everything is most of what an admission costs, and half of an
// AdmissionReview are managedFields (fact W9).
//
//	for ok := d.Object(); ok && d.More(); {
//		switch string(d.Name()) {
//		case "name":
//			name = d.String()
//		default:
//			d.Skip()
//		}
//	}
//	return d.Err()
package jsonview

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Decoder walks once through a JSON text. The first error sticks: later calls
// do nothing and yield zero values, so that callers check Err once. A null is
// read as the zero value of whatever is asked for.
type Decoder struct {
	whole  []byte
	tokens *jsontext.Decoder
	err    error
}

// New makes a Decoder over text, which it neither changes nor keeps parts of.
// Names are matched as Kubernetes does, by case. Of members with one name the
// last counts; to find them would be a third of the work, and an API server
// sends none.
func New(text []byte) *Decoder {
	return &Decoder{whole: text, tokens: jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true))}
}

// Err is the first error: the text is not JSON, or not of the form asked for.
// It names the place as a JSON pointer.
func (d *Decoder) Err() error { return d.err }

// End fails unless the text is used up.
func (d *Decoder) End() {
	if d.err != nil {
		return
	}
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		d.Fail(fmt.Errorf("something follows the JSON value"))
	}
}

// Offset is where the next value begins, for DecoderAt.
func (d *Decoder) Offset() int64 { return d.tokens.InputOffset() }

// DecoderAt makes a Decoder that begins with the value at a place, for the rare
// case in which what comes later says that more of it is wanted.
func (d *Decoder) DecoderAt(place int64) *Decoder {
	again := New(bytes.TrimLeft(d.whole[place:], ":, \t\r\n"))
	again.err = d.err
	return again
}

// Fail makes err the Decoder's error, with the place where it stands.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("at %q: %w", string(d.tokens.StackPointer()), err)
	}
}

// Object enters an object. It is false for null, and after an error.
func (d *Decoder) Object() bool { return d.enter(jsontext.KindBeginObject, "an object") }

// Array enters an array. It is false for null, and after an error.
func (d *Decoder) Array() bool { return d.enter(jsontext.KindBeginArray, "an array") }

func (d *Decoder) enter(begin jsontext.Kind, wanted string) bool {
	if d.err != nil {
		return false
	}
	token, err := d.tokens.ReadToken()
	switch {
	case err != nil:
		d.err = err
	case token.Kind() == begin:
		return true
	case token.Kind() != jsontext.KindNull:
		d.Fail(fmt.Errorf("found %s instead of %s", token.Kind(), wanted))
	}
	return false
}

// More reports whether the object or array that was entered last has a further
// member; where it has none, it is left.
func (d *Decoder) More() bool {
	if d.err != nil {
		return false
	}
	switch d.tokens.PeekKind() {
	case jsontext.KindEndObject, jsontext.KindEndArray, jsontext.KindInvalid:
		if _, err := d.tokens.ReadToken(); err != nil {
			d.err = err
		}
		return false
	}
	return true
}

// Name reads an object member's name. The bytes are good until the next call.
func (d *Decoder) Name() []byte {
	return d.text()
}

// String reads a string.
func (d *Decoder) String() string {
	return string(d.text())
}

// Bool reads a boolean.
func (d *Decoder) Bool() bool {
	if d.err != nil {
		return false
	}
	token, err := d.tokens.ReadToken()
	switch {
	case err != nil:
		d.err = err
	case token.Kind() == jsontext.KindTrue:
		return true
	case token.Kind() != jsontext.KindFalse && token.Kind() != jsontext.KindNull:
		d.Fail(fmt.Errorf("found %s instead of a boolean", token.Kind()))
	}
	return false
}

// Bytes reads a string for somebody who only looks at it: the bytes are good
// until the next call.
func (d *Decoder) Bytes() []byte { return d.text() }

func (d *Decoder) text() []byte {
	if d.err != nil {
		return nil
	}
	value, err := d.tokens.ReadValue()
	switch {
	case err != nil:
		d.err = err
	case value.Kind() == jsontext.KindString:
		if bytes.IndexByte(value, '\\') < 0 {
			return value[1 : len(value)-1]
		}
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			d.Fail(err)
		}
		return unquoted
	case value.Kind() != jsontext.KindNull:
		d.Fail(fmt.Errorf("found %s instead of a string", value.Kind()))
	}
	return nil
}

// Raw reads a value as it stands. The bytes are good until the next call.
func (d *Decoder) Raw() []byte {
	if d.err != nil {
		return nil
	}
	value, err := d.tokens.ReadValue()
	if err != nil {
		d.err = err
	}
	return value
}

// StringMap reads an object of strings, of which it keeps those whose names
// begin with prefix. It also yields how many there are in all.
func (d *Decoder) StringMap(prefix string) (kept map[string]string, all int) {
	for ok := d.Object(); ok && d.More(); {
		all++
		name := d.Name()
		if len(name) < len(prefix) || string(name[:len(prefix)]) != prefix {
			d.Skip()
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		key := string(name)
		kept[key] = d.String()
	}
	return kept, all
}

// Skip passes over a value.
func (d *Decoder) Skip() {
	if d.err != nil {
		return
	}
	if err := d.tokens.SkipValue(); err != nil {
		d.err = err
	}
}
