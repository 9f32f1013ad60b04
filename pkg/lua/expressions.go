package lua

// priorities are the left and right priorities of the operators with two operands. A lower right priority makes an
// operator right associative.
var priorities = map[tokenKind]struct{ left, right int }{
	"or": {1, 1}, "and": {2, 2},
	"<": {3, 3}, ">": {3, 3}, "<=": {3, 3}, ">=": {3, 3}, "~=": {3, 3}, "==": {3, 3},
	"..": {5, 4}, "+": {6, 6}, "-": {6, 6}, "*": {7, 7}, "/": {7, 7}, "%": {7, 7}, "^": {10, 9},
}

// unaryPriority is the priority of the operators with one operand.
const unaryPriority = 8

func (p *parser) expressionList() []Expression {
	list := []Expression{p.expression()}
	for p.accept(",") {
		list = append(list, p.expression())
	}
	return list
}

func (p *parser) expression() Expression { return p.operation(0) }

// operation reads an expression whose operators have a higher priority than limit.
func (p *parser) operation(limit int) Expression {
	p.enter()
	defer p.leave()
	var left Expression
	switch start := p.token.pos; p.kind() {
	case "not", "-", "#":
		operator := string(p.kind())
		p.advance()
		left = &Operation{at: p.node(start), Operator: operator, Right: p.operation(unaryPriority)}
	default:
		left = p.simpleExpression()
	}
	for length := 0; ; length++ {
		limitChain(length)
		priority, isOperator := priorities[p.kind()]
		if !isOperator || priority.left <= limit {
			return left
		}
		operation := &Operation{at: p.node(p.token.pos), Operator: string(p.kind()), Left: left}
		p.advance()
		operation.Right = p.operation(priority.right)
		left = operation
	}
}

func limitChain(length int) {
	if length > maxChain {
		panic(tooLarge{})
	}
}

func (p *parser) simpleExpression() Expression {
	start := p.token.pos
	var value any
	switch p.kind() {
	case numberToken:
		value = p.token.number
	case stringToken:
		value = p.token.text
	case "true", "false":
		value = p.kind() == "true"
	case "nil":
	case "...":
		if !p.function.isVararg {
			p.fail("cannot use '...' outside a vararg function")
		}
		p.advance()
		return &Vararg{p.node(start)}
	case "{":
		return p.table()
	case "function":
		p.advance()
		return p.functionBody(start, false)
	default:
		return p.suffixedExpression()
	}
	textPos := p.token.textPos
	p.advance()
	return &Constant{at: p.node(start), Value: value, TextPos: textPos}
}

// variable reads a name that is used as a variable.
func (p *parser) variable() *Name {
	pos := p.token.pos
	name := &Name{at: p.node(pos), Name: p.name()}
	p.use(name.Name)
	return name
}

// suffixedExpression reads a variable or a group, with the indexes and calls after it.
func (p *parser) suffixedExpression() Expression {
	start := p.token.pos
	var result Expression
	switch {
	case p.isName(p.token):
		result = p.variable()
	case p.accept("("):
		result = &Group{at: p.node(start), Inner: p.expression()}
		p.expectClosing(")", "(", start)
	default:
		p.fail("unexpected symbol")
	}
	for length := 0; ; length++ {
		limitChain(length)
		pos := p.token.pos
		switch p.kind() {
		case ".":
			p.advance()
			key := &Constant{at: p.node(p.token.pos), Value: p.name()}
			result = &Index{at: p.node(pos), Object: result, Key: key}
		case "[":
			p.advance()
			result = &Index{at: p.node(pos), Object: result, Key: p.expression()}
			p.expect("]")
		case ":":
			p.advance()
			call := &Call{at: p.node(pos), Function: result, Method: p.name()}
			call.Arguments = p.arguments()
			result = call
		case "(", stringToken, "{":
			result = &Call{at: p.node(pos), Function: result, Arguments: p.arguments()}
		default:
			return result
		}
	}
}

// arguments reads the arguments of a call.
func (p *parser) arguments() []Expression {
	start := p.token.pos
	switch p.kind() {
	case "(":
		if p.dialect.IsLua51 && start.Line != p.lastLine {
			p.fail("ambiguous syntax (function call x new statement)")
		}
		p.advance()
		var list []Expression
		if p.kind() != ")" {
			list = p.expressionList()
		}
		p.expectClosing(")", "(", start)
		return list
	case "{":
		return []Expression{p.table()}
	case stringToken:
		argument := &Constant{at: p.node(start), Value: p.token.text, TextPos: p.token.textPos}
		p.advance()
		return []Expression{argument}
	}
	p.fail("function arguments expected")
	return nil
}

func (p *parser) table() Expression {
	start := p.token.pos
	table := &Table{at: p.node(start)}
	p.expect("{")
	for p.kind() != "}" {
		p.node(start)
		var field Field
		switch {
		case p.kind() == "[":
			p.advance()
			field.Key = p.expression()
			p.expect("]")
			p.expect("=")
		case p.isName(p.token) && p.peek() == "=":
			pos := p.token.pos
			field.Key = &Constant{at: p.node(pos), Value: p.name()}
			p.expect("=")
		}
		field.Value = p.expression()
		table.Fields = append(table.Fields, field)
		if !p.accept(",") && !p.accept(";") {
			break
		}
	}
	p.expectClosing("}", "{", start)
	return table
}

// functionBody reads the parameters and the body of a function that starts at a position.
func (p *parser) functionBody(start Pos, isMethod bool) *Function {
	function := &Function{at: p.node(start)}
	if isMethod {
		function.Parameters = []string{"self"}
	}
	p.expect("(")
	isVararg := false
	for p.kind() != ")" {
		if isVararg = p.accept("..."); isVararg {
			break
		}
		if !p.isName(p.token) {
			p.fail("<name> or '...' expected")
		}
		function.Parameters = append(function.Parameters, p.name())
		p.node(start)
		if !p.accept(",") {
			break
		}
		if p.kind() == ")" {
			p.fail("<name> or '...' expected")
		}
	}
	p.expect(")")
	p.openFunction(start, function.Parameters, isVararg)
	function.Body = p.statements()
	p.expectClosing("end", "function", start)
	p.closeFunction()
	return function
}
