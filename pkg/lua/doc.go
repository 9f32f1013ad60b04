// Package lua reads Lua files as Kong's LuaJIT does, and never runs them. It owns the syntax: the lexer, the parser and
// the tree.
//
// Kong's LuaJIT differs from Lua 5.1 (fact K43). It reads a byte order mark and a first line that starts with #!. It
// reads numbers such as 0xffULL, 1i and 0b101, more escapes in strings, goto, and a break in the middle of a block.
// OpenResty builds it with the compatibility for Lua 5.2. If this package rejects a file, LuaJIT also rejects it. For
// a file over a limit, Parse returns ErrTooLarge.
package lua
