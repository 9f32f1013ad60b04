package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// screen prints the demo, in colours if it is a terminal.
type screen struct {
	io.Writer
	colours bool
}

func newScreen(file *os.File) *screen {
	return &screen{Writer: file, colours: term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""}
}

// ANSI codes of colours.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

func (s *screen) paint(colour, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s *screen) heading(text string) { fmt.Fprintf(s, "\n%s\n", s.paint(bold, "# "+text)) }

func (s *screen) note(text string) { fmt.Fprintln(s, s.paint(dim, "# "+text)) }
