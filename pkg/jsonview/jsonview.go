// Package jsonview reads a few fields of a large JSON text in one pass. It checks that the other parts are valid JSON
// and skips them. JSON decoding is 70 % of the cost of an admission, and half of an AdmissionReview is managedFields
// (fact W9).
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

// Decoder reads a JSON text once, from start to end. After the first error, all calls do nothing and return zero
// values, so that callers check Err only once. A null reads as the zero value of the requested type.
type Decoder struct {
	text   []byte
	tokens *jsontext.Decoder
	err    error
	// entered counts the elements and members that the caller has entered.
	entered int
	// shallow means that the text cannot be nested more than maxShallow levels.
	shallow bool
}

// maxShallow limits the nesting of values that are read in one step. That is recursive, and 10,000 levels need a stack
// of 2 MiB. The review of a pod of Kong's chart has fewer than 1,000 objects and arrays.
const maxShallow = 2000

// maxEntered limits the elements and members that a caller enters. A view of an element can need a hundred times the
// memory of its text, which can be "{}". The largest pod that a test creates has a tenth of them.
const maxEntered = 100_000

// beforeValue are the characters between the end of a token and the next value.
const beforeValue = ":, \t\r\n"

// New returns a Decoder for text. It does not change the text, and its results do not share the text's memory. Names
// are case-sensitive, as in Kubernetes. Of duplicate members, the last one counts. The Decoder does not reject
// duplicates, because that needs a third of the time, and an API server sends none.
func New(text []byte) *Decoder {
	return &Decoder{
		text: text, tokens: jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true)),
		shallow: bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= maxShallow,
	}
}

// Err returns the first error: the text is not JSON, or a value has another type than requested. The error names the
// place as a JSON pointer.
func (d *Decoder) Err() error { return d.err }

// End fails if more text follows.
func (d *Decoder) End() {
	if d.err != nil {
		return
	}
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		d.Fail(errors.New("unexpected text after the JSON value"))
	}
}

// Offset returns the position of the next value, for DecoderAt.
func (d *Decoder) Offset() int64 { return d.tokens.InputOffset() }

// DecoderAt returns a Decoder that starts with the value at an offset. A caller needs it if a later part of the text
// shows that it must read an earlier value.
func (d *Decoder) DecoderAt(offset int64) *Decoder {
	decoder := New(bytes.TrimLeft(d.text[offset:], beforeValue))
	decoder.err = d.err
	return decoder
}

// Fail makes err the error of the Decoder, and adds the current place. An earlier error stays.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("at %q: %w", string(d.tokens.StackPointer()), err)
	}
}

// Object enters an object. It returns false for null, and after an error.
func (d *Decoder) Object() bool { return d.enter(jsontext.KindBeginObject, "an object") }

// Array enters an array. It returns false for null, and after an error.
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

// More reports whether the current object or array has another member. If it has none, the Decoder leaves it.
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
	if d.entered++; d.entered > maxEntered {
		d.Fail(fmt.Errorf("more than %d elements and members", maxEntered))
		return false
	}
	return true
}

// Name reads the name of an object member. The bytes are valid until the next call.
func (d *Decoder) Name() []byte {
	return d.stringBytes()
}

// String reads a string.
func (d *Decoder) String() string {
	return string(d.stringBytes())
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

// Bytes reads a string without copying it. The bytes are valid until the next call.
func (d *Decoder) Bytes() []byte { return d.stringBytes() }

func (d *Decoder) stringBytes() []byte {
	if d.err != nil {
		return nil
	}
	if !d.shallow {
		if kind := d.tokens.PeekKind(); kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
			return d.failString(kind)
		}
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

// failString fails at the object or array that begins here. It does not read the rest, which may be nested deeply.
func (d *Decoder) failString(kind jsontext.Kind) []byte {
	if _, err := d.tokens.ReadToken(); err != nil {
		d.err = err
	}
	d.Fail(fmt.Errorf("found %s instead of a string", kind))
	return nil
}

// Raw reads a value without decoding it. The bytes are valid until the next call.
func (d *Decoder) Raw() []byte {
	if d.err != nil {
		return nil
	}
	if !d.shallow {
		return d.rawDeep()
	}
	value, err := d.tokens.ReadValue()
	if err != nil {
		d.err = err
	}
	return value
}

// rawDeep reads a value token by token, which is not recursive.
func (d *Decoder) rawDeep() []byte {
	start := d.tokens.InputOffset()
	if err := d.tokens.SkipValue(); err != nil {
		d.err = err
		return nil
	}
	return bytes.TrimLeft(d.text[start:d.tokens.InputOffset()], beforeValue)
}

// StringMap reads an object of strings. It returns the members whose names have the prefix, and the number of all
// members.
func (d *Decoder) StringMap(prefix string) (selected map[string]string, count int) {
	for ok := d.Object(); ok && d.More(); {
		count++
		name := d.Name()
		if len(name) < len(prefix) || string(name[:len(prefix)]) != prefix {
			d.Skip()
			continue
		}
		if selected == nil {
			selected = map[string]string{}
		}
		key := string(name)
		selected[key] = d.String()
	}
	return selected, count
}

// Skip skips a value. In a shallow text, it reads the value in one step. jsontext's SkipValue reads an object or array
// token by token, which takes more time.
func (d *Decoder) Skip() { d.Raw() }
