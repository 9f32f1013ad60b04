package luaeval

import "kongdao.io/kongdao/pkg/lua"

// Limits of an evaluation. Over a limit, the result is unknown.
const (
	// maxSteps limits the expressions and statements, with those that the evaluation only looks through, and the fields
	// that it counts.
	maxSteps = 1_000_000
	// maxTextBytes limits the strings that the evaluation creates, all together.
	maxTextBytes = 1 << 20
	// maxRequired limits the required modules.
	maxRequired = 200
)

// Result is what is known about a file.
type Result struct {
	// Value is what the file returns. It is Nil for a file that returns nothing.
	Value Value
	// Required are the modules that the file requires by a constant name, in the order of their places.
	Required []Required
}

// Required is a call of require.
type Required struct {
	Module string
	Pos    lua.Pos
	// IsCertain is true if loading the file always loads the module. It is false in functions and conditions.
	IsCertain bool
}

// Evaluate finds what a file returns and requires.
func Evaluate(chunk *lua.Chunk) (result Result) {
	e := &evaluator{}
	defer func() {
		if failed := recover(); failed != nil {
			if _, isOverLimit := failed.(overLimit); !isOverLimit {
				panic(failed)
			}
			result = Result{Required: e.required}
		}
	}()
	scope := newScope(nil)
	e.collectRequired(chunk)
	if jumps(chunk.Body) {
		e.mayReturn = true // a statement may run more than once, or never
		e.skip(chunk.Body, scope)
		return Result{Required: e.required}
	}
	value, _ := e.block(chunk.Body, scope)
	if e.mayReturn && value.isKnown() {
		value.Kind = Unknown // Table remains for who needs no certainty
	}
	return Result{Value: value, Required: e.required}
}

// overLimit is the value of the panic over a limit.
type overLimit struct{}

// evaluator evaluates one file.
type evaluator struct {
	required []Required
	// mayReturn is true if the file may have returned at an earlier statement.
	mayReturn bool
	steps     int
	textBytes int
	// escaped are the functions that other code may call.
	escaped map[*lua.Function]bool
	// changedGlobals are the global variables that the file sets.
	changedGlobals map[string]bool
}

// scope holds the local variables of a block.
type scope struct {
	outer     *scope
	variables map[string]*variable
}

// variable is a local variable.
type variable struct {
	value Value
	// isShared is true if other code may use the variable at any time, and isUnstable if it may set the variable.
	isShared, isUnstable bool
}

func (s *scope) declare(name string, value Value) {
	if s.variables == nil {
		s.variables = map[string]*variable{}
	}
	s.variables[name] = &variable{value: value}
}

// find returns a local variable, or nil for the name of a global one.
func (s *scope) find(name string) *variable {
	for ; s != nil; s = s.outer {
		if found := s.variables[name]; found != nil {
			return found
		}
	}
	return nil
}

func (e *evaluator) step() {
	e.steps++
	if e.steps > maxSteps {
		panic(overLimit{})
	}
}

// block evaluates statements up to a return. It reports whether there was one.
func (e *evaluator) block(body []lua.Statement, scope *scope) (value Value, returned bool) {
	for _, statement := range body {
		e.step()
		switch s := statement.(type) {
		case *lua.Return:
			values := e.expressions(s.Values, 1, scope)
			return values[0], true
		case *lua.Block:
			if value, returned := e.block(s.Body, newScope(scope)); returned {
				return value, true
			}
		default:
			e.statement(statement, scope)
		}
	}
	return Value{Kind: Nil}, false
}

func newScope(outer *scope) *scope { return &scope{outer: outer} }

func (e *evaluator) statement(statement lua.Statement, scope *scope) {
	switch s := statement.(type) {
	case *lua.Local:
		for i, value := range e.expressions(s.Values, len(s.Names), scope) {
			scope.declare(s.Names[i], value)
		}
	case *lua.LocalFunction:
		scope.declare(s.Name, Value{})
		scope.find(s.Name).value = e.function(s.Function, scope)
	case *lua.Assign:
		values := e.expressions(s.Values, len(s.Targets), scope)
		for i, target := range s.Targets {
			e.assign(target, values[i], scope)
		}
	case *lua.CallStatement:
		e.expression(s.Call, scope)
	case *lua.If:
		e.expression(s.Conditions[0], scope)
		for _, condition := range s.Conditions[1:] {
			e.skipNode(condition, scope)
		}
		for _, branch := range s.Branches {
			e.skip(branch, scope)
		}
	case *lua.Loop:
		for _, head := range s.Heads {
			e.skipNode(head, scope)
		}
		e.skip(s.Body, scope)
	}
}

// assign sets a variable or a field.
func (e *evaluator) assign(target lua.Expression, value Value, scope *scope) {
	switch t := target.(type) {
	case *lua.Name:
		variable := scope.find(t.Name)
		if variable == nil {
			e.changeGlobal(t.Name)
			e.escape(value) // all code can read a global variable
			return
		}
		if variable.isShared {
			e.escape(value)
		}
		variable.value = value
	case *lua.Index:
		object, key := e.expression(t.Object, scope), e.expression(t.Key, scope)
		if object.Table == nil {
			e.escape(value)
			return
		}
		name, isKnown := key.key()
		if !isKnown {
			e.open(object.Table)
			e.escape(value)
			return
		}
		if object.Table.IsOpen || !object.isKnown() {
			e.escape(value)
		}
		object.Table.set(name, value)
	}
}

// collectRequired finds the calls of require with a constant name, in all functions and conditions.
func (e *evaluator) collectRequired(chunk *lua.Chunk) {
	lua.Walk(chunk.Body, func(node any) bool {
		e.step()
		call, isCall := node.(*lua.Call)
		if !isCall || call.Method != "" || len(call.Arguments) != 1 {
			return true
		}
		name, isName := call.Function.(*lua.Name)
		argument, isConstant := call.Arguments[0].(*lua.Constant)
		if isName && isConstant && name.Name == "require" {
			if module, isText := argument.Value.(string); isText {
				e.require(Required{Module: module, Pos: argument.Position()})
			}
		}
		return true
	})
}

// require adds a required module, or notes that it is certain.
func (e *evaluator) require(required Required) {
	for i := range e.required {
		if e.required[i].Module == required.Module && e.required[i].Pos == required.Pos {
			e.required[i].IsCertain = required.IsCertain
			return
		}
	}
	if len(e.required) < maxRequired {
		e.required = append(e.required, required)
	}
}
