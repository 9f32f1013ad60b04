package luaeval

import (
	"iter"
	"math"
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
	// fields are in the order in which they were set. A removed field stays here with the value nil.
	fields []field
	// removed counts the fields with the value nil.
	removed int
	// index has the places of the fields by key, if the file sets more than maxUnindexed.
	index map[any]int
}

// field is a field of a table. The key is a string, a float64 or a bool.
type field struct {
	key   any
	value Value
}

// maxUnindexed is how many fields a table has at most without an index. Most tables are small.
const maxUnindexed = 8

// find returns the place of a key, or -1.
func (t *Table) find(key any) int {
	if t.index != nil {
		if at, exists := t.index[key]; exists {
			return at
		}
		return -1
	}
	return slices.IndexFunc(t.fields, func(f field) bool { return f.key == key })
}

// Get returns the value of a key: a string, a float64 or a bool. If the table is open, the true value may be another.
func (t *Table) Get(key any) Value {
	if t == nil {
		return Value{Kind: Nil}
	}
	at := t.find(key)
	if at < 0 {
		return Value{Kind: Nil}
	}
	return t.fields[at].value
}

// Keys returns the keys, in the order in which they were set.
func (t *Table) Keys() []any {
	if t == nil {
		return nil
	}
	keys := make([]any, 0, len(t.fields))
	for key := range t.all() {
		keys = append(keys, key)
	}
	return keys
}

// all returns the keys and values, in the order in which the keys were set.
func (t *Table) all() iter.Seq2[any, Value] {
	return func(yield func(any, Value) bool) {
		for _, field := range t.fields {
			if field.value.Kind != Nil && !yield(field.key, field.value) {
				return
			}
		}
	}
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

// Len returns the number of keys.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.fields) - t.removed
}

// IsArray reports whether all keys are the numbers from 1 to their count.
func (t *Table) IsArray() bool {
	length, isCertain := t.length()
	return isCertain && length == t.Len()
}

// length returns how many keys are numbers. It is certain if these are 1, 2, 3 and so on: lists with holes have no
// length that is certain.
func (t *Table) length() (length int, isCertain bool) {
	largest := 0.0
	isCertain = true
	for key := range t.all() {
		number, isNumber := key.(float64)
		if !isNumber {
			continue
		}
		length++
		largest = max(largest, number)
		isCertain = isCertain && number >= 1 && number == math.Trunc(number)
	}
	return length, isCertain && largest == float64(length)
}

// set sets a key. The value nil removes it.
func (t *Table) set(key any, value Value) {
	if at := t.find(key); at >= 0 {
		if t.fields[at].value.Kind == Nil {
			t.removed--
		}
		if value.Kind == Nil {
			t.removed++
		}
		t.fields[at].value = value
		return
	}
	if value.Kind == Nil {
		return
	}
	t.fields = append(t.fields, field{key, value})
	switch {
	case t.index != nil:
		t.index[key] = len(t.fields) - 1
	case len(t.fields) > maxUnindexed:
		t.index = make(map[any]int, len(t.fields))
		for i := range t.fields {
			t.index[t.fields[i].key] = i
		}
	}
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
