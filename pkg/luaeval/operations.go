package luaeval

import (
	"math"
	"strconv"

	"kongdao.io/kongdao/pkg/lua"
)

func (e *evaluator) operation(x *lua.Operation, scope *scope) Value {
	if x.Left == nil {
		return e.unary(x, e.expression(x.Right, scope))
	}
	left := e.expression(x.Left, scope)
	if x.Operator == "and" || x.Operator == "or" {
		if !left.isKnown() {
			e.escape(left)
			e.skipNode(x.Right, scope)
			return unknown(x)
		}
		if left.isTrue() == (x.Operator == "or") {
			return left
		}
		return e.expression(x.Right, scope)
	}
	right := e.expression(x.Right, scope)
	switch {
	case x.Operator == "..":
		return e.concatenate(x, left, right)
	case left.Kind == Number && right.Kind == Number:
		return arithmetic(x, left.Number, right.Number)
	}
	e.escape(left) // its metatable can have functions for operators
	e.escape(right)
	return unknown(x)
}

func (e *evaluator) unary(x *lua.Operation, value Value) Value {
	switch {
	case x.Operator == "-" && value.Kind == Number:
		value.Number = -value.Number
		return value
	case x.Operator == "not" && value.isKnown():
		return Value{Kind: Boolean, Pos: x.Position(), Boolean: !value.isTrue()}
	case x.Operator == "#" && value.Kind == String:
		return Value{Kind: Number, Pos: x.Position(), Number: float64(len(value.Text))}
	case x.Operator == "#" && value.Kind == TableKind && !value.Table.IsOpen:
		e.steps += len(value.Table.fields)
		if length, isCertain := value.Table.length(); isCertain {
			return Value{Kind: Number, Pos: x.Position(), Number: float64(length)}
		}
	}
	return unknown(x)
}

func (e *evaluator) concatenate(x *lua.Operation, left, right Value) Value {
	a, isText := textOf(left)
	b, isAlsoText := textOf(right)
	if !isText || !isAlsoText {
		e.escape(left)
		e.escape(right)
		return unknown(x)
	}
	if e.textBytes += len(a) + len(b); e.textBytes > maxTextBytes {
		panic(overLimit{})
	}
	return Value{Kind: String, Pos: x.Position(), Text: a + b, TextPos: x.Position()}
}

// textOf returns a value as the operator .. uses it. It knows how Lua writes integers, and no other numbers.
func textOf(value Value) (string, bool) {
	const maxExact = 1e14
	switch {
	case value.Kind == String:
		return value.Text, true
	case value.Kind == Number && value.Number == math.Trunc(value.Number) && math.Abs(value.Number) < maxExact:
		return strconv.FormatInt(int64(value.Number), 10), true
	}
	return "", false
}

func arithmetic(x *lua.Operation, left, right float64) Value {
	value := Value{Kind: Number, Pos: x.Position()}
	switch x.Operator {
	case "+":
		value.Number = left + right
	case "-":
		value.Number = left - right
	case "*":
		value.Number = left * right
	case "/":
		value.Number = left / right
	default:
		return unknown(x)
	}
	return value
}
