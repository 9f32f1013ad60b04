package lua

// statement reads one statement. It returns nil for an empty one. isLast is true if the statement must end its block.
func (p *parser) statement() (read Statement, isLast bool) {
	start := p.token.pos
	switch p.kind() {
	case "if":
		return p.ifStatement(), false
	case "while":
		return p.whileStatement(), false
	case "do":
		p.advance()
		block := &Block{at: p.node(start), Body: p.scopedBlock()}
		p.expectClosing("end", "do", start)
		return block, false
	case "for":
		return p.forStatement(), false
	case "repeat":
		return p.repeatStatement(), false
	case "function":
		return p.functionStatement(), false
	case "local":
		return p.localStatement(), false
	case "return":
		return p.returnStatement(), true
	case "break":
		p.advance()
		p.addGoto("", start)
		return &Jump{at: p.node(start)}, p.dialect.IsLua51
	case ";":
		if !p.dialect.IsLua51 {
			p.advance()
			return nil, false
		}
	case "::":
		return p.label(), false
	case "goto":
		if !p.dialect.IsLua51 || p.peek() == nameToken {
			p.advance()
			target := p.token.pos
			jump := &Jump{at: p.node(start), Label: p.name()}
			p.addGoto(jump.Label, target)
			return jump, false
		}
	}
	return p.expressionStatement(), false
}

// expressionStatement reads a call or an assignment.
func (p *parser) expressionStatement() Statement {
	start := p.token.pos
	first := p.suffixedExpression()
	if call, isCall := first.(*Call); isCall {
		return &CallStatement{at: p.node(start), Call: call}
	}
	targets := []Expression{first}
	for {
		switch targets[len(targets)-1].(type) {
		case *Name, *Index:
		default:
			p.fail("syntax error")
		}
		if !p.accept(",") {
			break
		}
		targets = append(targets, p.suffixedExpression())
	}
	p.expect("=")
	return &Assign{at: p.node(start), Targets: targets, Values: p.expressionList()}
}

func (p *parser) ifStatement() Statement {
	start := p.token.pos
	statement := &If{at: p.node(start)}
	for {
		p.advance() // if or elseif
		statement.Conditions = append(statement.Conditions, p.expression())
		p.expect("then")
		statement.Branches = append(statement.Branches, p.scopedBlock())
		if p.kind() != "elseif" {
			break
		}
	}
	if p.accept("else") {
		statement.Branches = append(statement.Branches, p.scopedBlock())
	}
	p.expectClosing("end", "if", start)
	return statement
}

func (p *parser) whileStatement() Statement {
	start := p.token.pos
	p.advance()
	loop := &Loop{at: p.node(start), Heads: []Expression{p.expression()}}
	p.openBlock(true)
	p.expect("do")
	loop.Body = p.scopedBlock()
	p.expectClosing("end", "while", start)
	p.closeBlock()
	return loop
}

func (p *parser) repeatStatement() Statement {
	start := p.token.pos
	loop := &Loop{at: p.node(start)}
	p.openBlock(true)
	p.openBlock(false)
	p.advance()
	loop.Body = p.statements()
	p.expectClosing("until", "repeat", start)
	loop.Heads = []Expression{p.expression()} // the body's local variables are visible in it
	p.closeBlock()
	p.closeBlock()
	return loop
}

func (p *parser) forStatement() Statement {
	start := p.token.pos
	p.advance()
	loop := &Loop{at: p.node(start), Names: []string{p.name()}}
	p.openBlock(true)
	switch p.kind() {
	case "=":
		p.advance()
		loop.Heads = append(loop.Heads, p.expression())
		p.expect(",")
		loop.Heads = append(loop.Heads, p.expression())
		if p.accept(",") {
			loop.Heads = append(loop.Heads, p.expression())
		}
	case ",", "in":
		for p.accept(",") {
			loop.Names = append(loop.Names, p.name())
		}
		p.expect("in")
		loop.Heads = p.expressionList()
	default:
		p.fail("'=' or 'in' expected")
	}
	p.expect("do")
	p.declare("(for index)", "(for limit)", "(for step)")
	p.openBlock(false)
	p.declare(loop.Names...)
	loop.Body = p.statements()
	p.closeBlock()
	p.expectClosing("end", "for", start)
	p.closeBlock()
	return loop
}

// functionStatement reads "function a.b:c() … end", which is an assignment.
func (p *parser) functionStatement() Statement {
	start := p.token.pos
	p.advance()
	var target Expression = p.variable()
	isMethod := false
	for !isMethod && (p.kind() == "." || p.kind() == ":") {
		isMethod = p.kind() == ":"
		pos := p.token.pos
		p.advance()
		key := &Constant{at: p.node(p.token.pos), Value: p.name()}
		target = &Index{at: p.node(pos), Object: target, Key: key}
	}
	function := p.functionBody(start, isMethod)
	return &Assign{at: p.node(start), Targets: []Expression{target}, Values: []Expression{function}}
}

func (p *parser) localStatement() Statement {
	start := p.token.pos
	p.advance()
	if functionPos := p.token.pos; p.accept("function") {
		statement := &LocalFunction{at: p.node(start), Name: p.name()}
		p.declare(statement.Name) // visible in the function
		statement.Function = p.functionBody(functionPos, false)
		return statement
	}
	statement := &Local{at: p.node(start), Names: []string{p.name()}}
	for p.accept(",") {
		statement.Names = append(statement.Names, p.name())
		p.node(start)
	}
	if p.accept("=") {
		statement.Values = p.expressionList()
	}
	p.declare(statement.Names...)
	return statement
}

func (p *parser) returnStatement() Statement {
	statement := &Return{at: p.node(p.token.pos)}
	p.advance()
	if !p.endsBlock() && p.kind() != ";" {
		statement.Values = p.expressionList()
	}
	return statement
}

// label reads a label, and the labels and semicolons after it. A label at the end of a block is outside the scope of
// the block's local variables.
func (p *parser) label() Statement {
	p.enter()
	defer p.leave()
	start := p.token.pos
	p.advance()
	statement := &Label{at: p.node(start), Name: p.name()}
	label := p.addLabel(statement.Name, start)
	p.expect("::")
	for {
		if p.kind() == "::" {
			p.label()
		} else if p.dialect.IsLua51 || !p.accept(";") {
			break
		}
	}
	p.resolveGotos(label, p.endsBlock() && p.kind() != "until")
	return statement
}
