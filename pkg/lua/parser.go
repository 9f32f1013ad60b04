package lua

import "fmt"

const (
	// maxNodes limits the nodes of the tree, and with them the memory.
	maxNodes = 200_000
	// maxSteps limits the steps to find variables and labels, and with them the time.
	maxSteps = 10_000_000
	// maxChain limits the operators and suffixes of one expression, which nest in the tree.
	maxChain = 200
	// maxDepth is LuaJIT's limit for nested code.
	maxDepth = 200
)

// Dialect is how LuaJIT was built. The zero value is Kong's LuaJIT.
type Dialect struct {
	// IsLua51 is true without the compatibility for Lua 5.2. Then "goto" can be a name, ";" is not a statement, and break
	// ends a block. A call cannot begin on a new line. Debian's LuaJIT is built in this way.
	IsLua51 bool
}

// Parse reads a file as Kong's LuaJIT does: see Dialect.Parse.
func Parse(source []byte) (*Chunk, error) { return Dialect{}.Parse(source) }

// Parse reads a file. The error is a *SyntaxError if LuaJIT rejects the file. Otherwise it is ErrTooLarge or
// ErrBytecode.
func (d Dialect) Parse(source []byte) (chunk *Chunk, err error) {
	lexer, err := newLexer(source)
	if err != nil {
		return nil, err
	}
	p := &parser{lexer: lexer, dialect: d}
	defer func() {
		switch failed := recover().(type) {
		case nil:
		case *SyntaxError:
			chunk, err = nil, failed
		case tooLarge:
			chunk, err = nil, ErrTooLarge
		default:
			panic(failed)
		}
	}()
	p.advance()
	p.openFunction(Pos{}, nil, true)
	body := p.statements()
	if p.kind() != endOfFile {
		p.failExpected(endOfFile)
	}
	p.closeFunction()
	return &Chunk{Body: body}, nil
}

// tooLarge is the value of the panic over maxNodes.
type tooLarge struct{}

// parser reads statements and expressions from a lexer, by recursive descent. It reports errors by a panic.
type parser struct {
	lexer   *lexer
	dialect Dialect
	// token is the current token. ahead is the next one, if peek has read it.
	token token
	ahead *token
	// lastLine is the line on which the token before the current one ends.
	lastLine int
	// function is the innermost function.
	function *functionScope
	nodes    int
	steps    int
	depth    int
}

func (p *parser) kind() tokenKind { return p.token.kind }

func (p *parser) advance() {
	p.lastLine = p.token.endLine
	if p.ahead != nil {
		p.token, p.ahead = *p.ahead, nil
		return
	}
	p.token = p.lexer.next()
}

// peek returns the kind of the next token. As LuaJIT, the parser reads it only where the grammar needs it: an error in
// it must not come before an error in the current token.
func (p *parser) peek() tokenKind {
	if p.ahead == nil {
		next := p.lexer.next()
		p.ahead = &next
	}
	return p.ahead.kind
}

// spend counts steps that no node accounts for.
func (p *parser) spend(steps int) {
	p.steps += steps
	if p.steps > maxSteps {
		panic(tooLarge{})
	}
}

// node counts a node, and returns its position.
func (p *parser) node(pos Pos) at {
	p.nodes++
	if p.nodes > maxNodes {
		panic(tooLarge{})
	}
	return at{pos}
}

// enter counts a level of nested code. The caller must call leave.
func (p *parser) enter() {
	p.depth++
	if p.depth >= maxDepth {
		p.failAt(p.token.pos, "chunk has too many syntax levels")
	}
}

func (p *parser) leave() { p.depth-- }

// fail reports an error at the current token.
func (p *parser) fail(message string) {
	panic(&SyntaxError{Pos: p.token.pos, LuaJITLine: p.token.endLine,
		Message: fmt.Sprintf("%s near '%s'", message, p.token)})
}

// failAt reports an error about the meaning of a statement. LuaJIT names no token for it.
func (p *parser) failAt(pos Pos, format string, args ...any) {
	panic(&SyntaxError{Pos: pos, LuaJITLine: pos.Line, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) failExpected(kind tokenKind) { p.fail(fmt.Sprintf("'%s' expected", kind)) }

// accept skips the current token if it is of a kind.
func (p *parser) accept(kind tokenKind) bool {
	if p.kind() != kind {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(kind tokenKind) {
	if !p.accept(kind) {
		p.failExpected(kind)
	}
}

// expectClosing skips the token that closes what was opened at a position.
func (p *parser) expectClosing(closing, opening tokenKind, opened Pos) {
	switch {
	case p.accept(closing):
	case opened.Line == p.token.endLine:
		p.failExpected(closing)
	default:
		p.fail(fmt.Sprintf("'%s' expected (to close '%s' at line %d)", closing, opening, opened.Line))
	}
}

// isName reports whether a token is a name.
func (p *parser) isName(t token) bool {
	return t.kind == nameToken || p.dialect.IsLua51 && t.kind == "goto"
}

func (p *parser) name() string {
	if !p.isName(p.token) {
		p.failExpected(nameToken)
	}
	name := p.token.text
	p.advance()
	return name
}

// endsBlock reports whether the current token ends a block.
func (p *parser) endsBlock() bool {
	switch p.kind() {
	case "else", "elseif", "end", "until", endOfFile:
		return true
	}
	return false
}

// scopedBlock reads a block with its own local variables.
func (p *parser) scopedBlock() []Statement {
	p.openBlock(false)
	body := p.statements()
	p.closeBlock()
	return body
}

// statements reads the statements of a block.
func (p *parser) statements() []Statement {
	p.enter()
	defer p.leave()
	var body []Statement
	for !p.endsBlock() {
		statement, isLast := p.statement()
		if statement != nil {
			body = append(body, statement)
		}
		p.accept(";")
		if isLast {
			break
		}
	}
	return body
}
