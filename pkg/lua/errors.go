package lua

import (
	"errors"
	"fmt"
)

var (
	// ErrTooLarge means that a file needs more nodes than Parse creates. Kong may accept it.
	ErrTooLarge = errors.New("the file has more code than the parser reads")
	// ErrBytecode means that a file is compiled code, which LuaJIT loads and this package does not read.
	ErrBytecode = errors.New("the file is compiled code")
)

// Pos is a position in a file. Line and Column start at 1. Column counts bytes.
type Pos struct{ Line, Column int }

// SyntaxError says where LuaJIT stops reading a file.
type SyntaxError struct {
	// Pos is the start of the token where reading stops.
	Pos Pos
	// LuaJITLine is the line that LuaJIT names: the last line of that token.
	LuaJITLine int
	// Message has LuaJIT's words: "'end' expected near '<eof>'".
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%d: %s", e.LuaJITLine, e.Message) }
