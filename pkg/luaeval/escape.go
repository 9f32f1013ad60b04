package luaeval

import (
	"kongdao.io/kongdao/pkg/lua"
)

// escape notes that other code has a value. That code may change a table, and may call a function at any time.
func (e *evaluator) escape(value Value) {
	e.step()
	if value.Table != nil {
		e.open(value.Table)
	}
	if value.Function != nil && !e.escaped[value.Function] {
		if e.escaped == nil {
			e.escaped = map[*lua.Function]bool{}
		}
		e.escaped[value.Function] = true
		for _, statement := range value.Function.Body {
			e.skipNode(statement, value.scope)
		}
	}
}

// open notes that other code may change a table, and what is in it.
func (e *evaluator) open(table *Table) {
	if table.IsOpen {
		return // its values have escaped when they were set
	}
	table.IsOpen = true
	for _, value := range table.all() {
		e.escape(value)
	}
}

// skip notes what statements may change that may run any number of times.
func (e *evaluator) skip(body []lua.Statement, scope *scope) {
	for _, statement := range body {
		e.skipNode(statement, scope)
	}
	e.mayReturn = e.mayReturn || contains(body, func(node any) bool { _, found := node.(*lua.Return); return found })
}

// skipNode notes what a statement or an expression may change that may run at any time. A variable inside may hide one
// in the scope. Then more than necessary is unknown.
func (e *evaluator) skipNode(node any, scope *scope) {
	lua.WalkNode(node, func(node any) bool {
		e.step()
		switch n := node.(type) {
		case *lua.Name:
			if variable := scope.find(n.Name); variable != nil {
				variable.isShared = true
				e.escape(variable.value)
			}
		case *lua.Assign:
			for _, target := range n.Targets {
				name, isName := target.(*lua.Name)
				if !isName {
					continue
				}
				if variable := scope.find(name.Name); variable != nil {
					variable.isUnstable = true
				} else {
					e.changeGlobal(name.Name)
				}
			}
		}
		return true
	})
}

func (e *evaluator) changeGlobal(name string) {
	if e.changedGlobals == nil {
		e.changedGlobals = map[string]bool{}
	}
	e.changedGlobals[name] = true
}

// contains reports whether a body has a node outside its functions.
func contains(body []lua.Statement, matches func(node any) bool) bool {
	found := false
	lua.Walk(body, func(node any) bool {
		found = found || matches(node)
		_, isFunction := node.(*lua.Function)
		return !found && !isFunction
	})
	return found
}

// jumps reports whether a body has a goto outside its functions.
func jumps(body []lua.Statement) bool {
	return contains(body, func(node any) bool { jump, isJump := node.(*lua.Jump); return isJump && jump.Label != "" })
}
