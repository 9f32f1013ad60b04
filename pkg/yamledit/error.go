package yamledit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Error is a problem at a line of a file.
type Error struct {
	// File is the name of the input, or "" if it is not known.
	File string
	// Line counts from 1.
	Line    int
	Message string
}

// Error returns "kong.yaml:14: message", or "line 14: message" without a file.
func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// locate adds the file and the line to an error about the document. The YAML parser's errors start with
// "yaml: line 3: ", counted from the document's first line.
func (d *Document) locate(err error) *Error {
	if located, ok := errors.AsType[*Error](err); ok {
		return &Error{File: d.File, Line: located.Line, Message: located.Message}
	}
	line, message := d.line, strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		number, cause, _ := strings.Cut(rest, ": ")
		if count, err := strconv.Atoi(number); err == nil {
			line, message = d.line+count-1, cause
		}
	}
	return &Error{File: d.File, Line: line, Message: "malformed YAML: " + message}
}
