package luaeval

import (
	"kongdao.io/kongdao/pkg/lua"
)

// expressions evaluates a list of expressions to a number of values. Only the last expression can have more than one.
func (e *evaluator) expressions(list []lua.Expression, count int, scope *scope) []Value {
	values := make([]Value, 0, count)
	for _, expression := range list {
		value := e.expression(expression, scope)
		if len(values) < count {
			values = append(values, value)
		}
	}
	for len(values) < count {
		missing := Value{Kind: Nil}
		if len(list) > 0 && isMultiple(list[len(list)-1]) {
			missing = unknown(list[len(list)-1])
		}
		values = append(values, missing)
	}
	return values
}

// isMultiple reports whether an expression can have more or less than one value.
func isMultiple(expression lua.Expression) bool {
	switch expression.(type) {
	case *lua.Call, *lua.Vararg:
		return true
	}
	return false
}

// unknown returns an unknown value, to which the file can add fields.
func unknown(expression lua.Expression) Value {
	return Value{Pos: expression.Position(), Table: &Table{IsOpen: true}}
}

func (e *evaluator) expression(expression lua.Expression, scope *scope) Value {
	e.step()
	switch x := expression.(type) {
	case *lua.Constant:
		return constant(x)
	case *lua.Name:
		return e.name(x, scope)
	case *lua.Group:
		return e.expression(x.Inner, scope)
	case *lua.Function:
		return e.function(x, scope)
	case *lua.Table:
		return e.table(x, scope)
	case *lua.Index:
		return e.index(x, scope)
	case *lua.Call:
		return e.call(x, scope)
	case *lua.Operation:
		return e.operation(x, scope)
	}
	return unknown(expression)
}

func constant(x *lua.Constant) Value {
	value := Value{Kind: Nil, Pos: x.Position()}
	switch constant := x.Value.(type) {
	case bool:
		value.Kind, value.Boolean = Boolean, constant
	case string:
		value.Kind, value.Text, value.TextPos = String, constant, x.TextPos
	case lua.Number:
		value.Kind, value.Number = Number, constant.Value
		if constant.IsCData {
			value = Value{Pos: x.Position()}
		}
	}
	return value
}

func (e *evaluator) name(x *lua.Name, scope *scope) Value {
	variable := scope.find(x.Name)
	switch {
	case variable == nil:
		value := unknown(x)
		if !e.changedGlobals[x.Name] {
			value.builtin = x.Name
		}
		return value
	case variable.isUnstable && variable.value.isKnown():
		value := variable.value
		value.Kind = Unknown
		return value
	}
	return variable.value
}

func (e *evaluator) function(x *lua.Function, scope *scope) Value {
	return Value{Kind: FunctionKind, Pos: x.Position(), Function: x, scope: scope}
}

func (e *evaluator) table(x *lua.Table, scope *scope) Value {
	table := &Table{}
	position := 0
	for i, field := range x.Fields {
		value := e.expression(field.Value, scope)
		switch {
		case field.Key != nil:
			key, isKnown := e.expression(field.Key, scope).key()
			if !isKnown {
				table.IsOpen = true
				e.escape(value)
				continue
			}
			table.set(key, value)
		case i == len(x.Fields)-1 && isMultiple(field.Value) && value.Kind != Module:
			table.IsOpen = true // any number of values
		default:
			position++
			table.set(float64(position), value)
		}
	}
	return Value{Kind: TableKind, Pos: x.Position(), Table: table}
}

func (e *evaluator) index(x *lua.Index, scope *scope) Value {
	object, key := e.expression(x.Object, scope), e.expression(x.Key, scope)
	name, isKnown := key.key()
	text, isText := name.(string)
	switch {
	case isKnown && object.Kind == TableKind && !object.Table.IsOpen:
		value := object.Table.Get(name)
		if value.Kind == Nil {
			value.Pos = x.Position()
		}
		return value
	case isText && object.Kind == Module && object.Table == nil && len(object.Path) < maxPath:
		path := append(append([]string(nil), object.Path...), text)
		return Value{Kind: Module, Pos: x.Position(), Module: object.Module, Path: path}
	}
	return unknown(x)
}

// maxPath limits the keys of Value.Path.
const maxPath = 8

// call evaluates a call of require. The result of any other call is unknown, and everything that the called function
// can reach may change.
func (e *evaluator) call(x *lua.Call, scope *scope) Value {
	function := e.expression(x.Function, scope)
	arguments := make([]Value, len(x.Arguments))
	for i, argument := range x.Arguments {
		arguments[i] = e.expression(argument, scope)
	}
	if function.builtin == "require" && x.Method == "" && len(arguments) == 1 && arguments[0].Kind == String {
		e.require(Required{Module: arguments[0].Text, Pos: x.Arguments[0].Position(), IsCertain: !e.mayReturn})
		return Value{Kind: Module, Pos: x.Position(), Module: arguments[0].Text}
	}
	e.escape(function)
	for _, argument := range arguments {
		e.escape(argument)
	}
	if function.builtin == "setmetatable" && x.Method == "" && len(arguments) > 0 {
		return arguments[0]
	}
	return unknown(x)
}
