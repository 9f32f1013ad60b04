package luaeval

import (
	"slices"

	"kongdao.io/kongdao/pkg/lua"
)

// Kind is the kind of a value.
type Kind int

// The kinds of values.
const (
	// Unknown: only Lua can compute the value.
	Unknown Kind = iota
	Nil
	Boolean
	Number
	String
	TableKind
	FunctionKind
	// Module: the value comes from another module, which Value.Module names.
	Module
)

// String returns the name of the kind as Lua's type function does.
func (k Kind) String() string {
	return [...]string{"unknown", "nil", "boolean", "number", "string", "table", "function", "module"}[k]
}

// Value is what is known about a value.
type Value struct {
	Kind Kind
	// Pos is the place of the expression with the value.
	Pos     lua.Pos
	Boolean bool
	Number  float64
	// Text is the content of a string, which starts at TextPos. IsCut is true if it is only the beginning.
	Text    string
	TextPos lua.Pos
	IsCut   bool
	// Table is the table. For the kinds Unknown and Module, it holds the fields that the file sets, or is nil.
	Table *Table
	// Function is the code of a function. Reduce drops it.
	Function *lua.Function
	// Module is the name of a required module. Path are the keys that lead from its value to this one.
	Module string
	Path   []string

	// scope is where a function finds its variables.
	scope *scope
	// builtin is the name of the global variable that holds the value, if the file does not set it.
	builtin string
}

// Table is a table.
type Table struct {
	// IsOpen is true if other code may have changed the table: fields may be missing here, or have other values.
	IsOpen bool
	// keys are the keys in the order in which they were set: strings, numbers (float64) and booleans.
	keys   []any
	values map[any]Value
}

// Get returns the value of a key: a string, a float64 or a bool. If the table is open, the true value may be another.
func (t *Table) Get(key any) Value {
	if t == nil {
		return Value{Kind: Nil}
	}
	value, exists := t.values[key]
	if !exists {
		return Value{Kind: Nil}
	}
	return value
}

// Keys returns the keys, in the order in which they were set.
func (t *Table) Keys() []any {
	if t == nil {
		return nil
	}
	return slices.Clone(t.keys)
}

// List returns the values of the keys 1, 2, 3 and so on, up to the first missing one, as ipairs does.
func (t *Table) List() []Value {
	var list []Value
	for {
		value := t.Get(float64(len(list) + 1))
		if value.Kind == Nil {
			return list
		}
		list = append(list, value)
	}
}

// IsArray reports whether all keys are the numbers from 1 to their count.
func (t *Table) IsArray() bool { return len(t.List()) == len(t.keys) }

// set sets a key. The value nil removes it.
func (t *Table) set(key any, value Value) {
	_, exists := t.values[key]
	if value.Kind == Nil {
		if exists {
			delete(t.values, key)
			t.keys = slices.DeleteFunc(t.keys, func(other any) bool { return other == key })
		}
		return
	}
	if !exists {
		t.keys = append(t.keys, key)
	}
	if t.values == nil {
		t.values = map[any]Value{}
	}
	t.values[key] = value
}

// key returns a value as a key of a table. It returns false for a value that is unknown or can be no key here.
func (v Value) key() (any, bool) {
	switch v.Kind {
	case String:
		return v.Text, true
	case Number:
		return v.Number, v.Number == v.Number // NaN cannot be a key
	case Boolean:
		return v.Boolean, true
	}
	return nil, false
}

// isKnown reports whether the value is certain.
func (v Value) isKnown() bool { return v.Kind != Unknown && v.Kind != Module }

// isTrue reports whether a known value counts as true in a condition.
func (v Value) isTrue() bool { return v.Kind != Nil && (v.Kind != Boolean || v.Boolean) }
