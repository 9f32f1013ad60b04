package lua

import "slices"

// LuaJIT's limits for one function.
const (
	maxLocals   = 200
	maxUpvalues = 60
)

// functionScope tracks what LuaJIT checks in one function: the number of its variables, and the targets of its jumps.
type functionScope struct {
	outer    *functionScope
	start    Pos
	isVararg bool
	// locals are the visible local variables.
	locals []string
	// upvalues are the variables of outer functions that the function uses.
	upvalues map[upvalue]bool
	blocks   []*blockScope
}

// upvalue is a local variable of an outer function, by its place there.
type upvalue struct {
	function *functionScope
	slot     int
}

type blockScope struct {
	isLoop bool
	// locals is the number of local variables outside the block.
	locals int
	labels map[string]*labelScope
	// gotos are the jumps without a label so far, from the block and from the blocks inside that ended.
	gotos []gotoScope
}

type labelScope struct {
	name string
	// locals is the number of local variables at the label.
	locals int
}

type gotoScope struct {
	label  string // "" for break
	pos    Pos
	locals int
}

func (p *parser) openFunction(start Pos, parameters []string, isVararg bool) {
	p.function = &functionScope{outer: p.function, start: start, isVararg: isVararg, upvalues: map[upvalue]bool{}}
	p.openBlock(false)
	p.declare(parameters...)
}

func (p *parser) closeFunction() {
	p.closeBlock()
	p.function = p.function.outer
}

func (p *parser) openBlock(isLoop bool) {
	p.function.blocks = append(p.function.blocks, &blockScope{isLoop: isLoop, locals: len(p.function.locals)})
}

// closeBlock ends the scope of a block's variables and labels. Its open jumps go to the block outside.
func (p *parser) closeBlock() {
	function := p.function
	last := len(function.blocks) - 1
	block := function.blocks[last]
	function.blocks, function.locals = function.blocks[:last], function.locals[:block.locals]
	p.spend(len(block.gotos))
	for _, jump := range block.gotos {
		switch {
		case jump.label == "" && block.isLoop:
		case block.labels[jump.label] != nil: // the label is before the jump
		case last > 0:
			jump.locals = block.locals
			outer := function.blocks[last-1]
			outer.gotos = append(outer.gotos, jump)
		case jump.label == "":
			p.failAt(jump.pos, "no loop to break")
		default:
			p.failAt(jump.pos, "undefined label '%s'", jump.label)
		}
	}
}

// block returns the innermost block.
func (p *parser) block() *blockScope { return p.function.blocks[len(p.function.blocks)-1] }

// declare adds local variables.
func (p *parser) declare(names ...string) {
	p.function.locals = append(p.function.locals, names...)
	if len(p.function.locals) > maxLocals {
		p.failLimit(maxLocals, "local variables")
	}
}

func (p *parser) failLimit(limit int, what string) {
	if p.function.outer == nil {
		p.failAt(p.token.pos, "main function has more than %d %s", limit, what)
	}
	p.failAt(p.token.pos, "function at line %d has more than %d %s", p.function.start.Line, limit, what)
}

// use counts a variable of an outer function.
func (p *parser) use(name string) {
	owner, slot := p.function, -1
	for ; owner != nil; owner = owner.outer {
		p.spend(len(owner.locals))
		if slot = lastIndex(owner.locals, name); slot >= 0 {
			break
		}
	}
	if owner == nil {
		return // a global variable
	}
	for function := p.function; function != owner; function = function.outer {
		function.upvalues[upvalue{owner, slot}] = true
		if len(function.upvalues) > maxUpvalues {
			p.failLimit(maxUpvalues, "upvalues")
		}
	}
}

func lastIndex(names []string, name string) int {
	for i, other := range slices.Backward(names) {
		if other == name {
			return i
		}
	}
	return -1
}

// addGoto adds a jump. A label that its block already has is its target.
func (p *parser) addGoto(label string, pos Pos) {
	block := p.block()
	if block.labels[label] != nil {
		return
	}
	block.gotos = append(block.gotos, gotoScope{label, pos, len(p.function.locals)})
}

func (p *parser) addLabel(name string, pos Pos) *labelScope {
	block := p.block()
	if block.labels[name] != nil {
		p.failAt(pos, "duplicate label '%s'", name)
	}
	label := &labelScope{name, len(p.function.locals)}
	if block.labels == nil {
		block.labels = map[string]*labelScope{}
	}
	block.labels[name] = label
	return label
}

// resolveGotos ends the jumps to a label in its block. At the end of a block, the block's variables do not count.
func (p *parser) resolveGotos(label *labelScope, isAtEnd bool) {
	block := p.block()
	if isAtEnd {
		label.locals = block.locals
	}
	p.spend(len(block.gotos))
	block.gotos = slices.DeleteFunc(block.gotos, func(jump gotoScope) bool {
		if jump.label == label.name && jump.locals < label.locals {
			p.failAt(jump.pos, "<goto %s> jumps into the scope of local '%s'", jump.label, p.function.locals[jump.locals])
		}
		return jump.label == label.name
	})
}
