package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// lineFormatter returns a function that adds a newline to a line of a diff, and the colors that git uses.
func lineFormatter(colored bool) func(string) string {
	if !colored {
		return func(line string) string { return line + "\n" }
	}
	return func(line string) string {
		code := ""
		switch {
		case strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ "):
			code = "1" // bold
		case strings.HasPrefix(line, "@@"):
			code = "36" // cyan
		case strings.HasPrefix(line, "-"):
			code = "31" // red
		case strings.HasPrefix(line, "+"):
			code = "32" // green
		default:
			return line + "\n"
		}
		return "\x1b[" + code + "m" + line + "\x1b[0m\n"
	}
}

// isColored reports whether the output is a terminal that supports colors, and the user did not turn them off
// (https://no-color.org).
func isColored(out io.Writer) bool {
	return isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
