package luaeval

import (
	"slices"
	"strings"
)

// maxReducedText limits the strings of a reduced value, in bytes. Migrations have long strings with SQL, which are not
// needed.
const maxReducedText = 256

// Constants returns a copy that needs little memory, and keeps nothing of the file. Of a table, it has at most limit
// fields with names. Tables inside have no fields in the copy. A table that lost fields is open.
func (v Value) Constants(limit int) Value {
	v.Function, v.scope, v.builtin = nil, nil, ""
	v.Text, v.IsCut = limitText(v.Text, v.IsCut)
	v.Module = strings.Clone(v.Module)
	if v.Table == nil {
		return v
	}
	constants := &Table{IsOpen: v.Table.IsOpen}
	for key, value := range v.Table.all() {
		text, isText := key.(string)
		if !isText || len(text) > maxReducedText || len(constants.fields) == limit {
			constants.IsOpen = true
			continue
		}
		constants.fields = append(constants.fields, field{strings.Clone(text), value.Constants(0)})
	}
	constants.fields = slices.Clone(constants.fields) // without unused capacity
	v.Table = constants
	return v
}

func limitText(text string, isCut bool) (string, bool) {
	if len(text) > maxReducedText {
		return strings.Clone(text[:maxReducedText]), true
	}
	return strings.Clone(text), isCut
}

// Size returns the approximate memory of a reduced value in bytes.
func (v Value) Size() int { return v.size(map[*Table]bool{}) }

func (v Value) size(seen map[*Table]bool) int {
	const valueBytes = 200 // a Value and its key
	size := valueBytes + len(v.Text) + len(v.Module)
	for _, key := range v.Path {
		size += len(key)
	}
	if v.Table == nil || seen[v.Table] {
		return size
	}
	seen[v.Table] = true
	for key, value := range v.Table.all() {
		text, _ := key.(string)
		size += len(text) + value.size(seen)
	}
	return size
}
