package lua

// Chunk is the code of a file.
type Chunk struct{ Body []Statement }

// Statement is a statement of a block. It is one of the pointer types below.
type Statement interface{ Position() Pos }

// Expression is an expression. It is one of the pointer types below.
type Expression interface{ Position() Pos }

// at is the position of a node: of its first token, or of the operator of an operation, call or index.
type at struct{ pos Pos }

// Position returns the position of the node.
func (a at) Position() Pos { return a.pos }

// Local declares local variables: local Names = Values.
type Local struct {
	at
	Names  []string
	Values []Expression
}

// LocalFunction is local function Name.
type LocalFunction struct {
	at
	Name     string
	Function *Function
}

// Assign is Targets = Values. A target is a Name or an Index. The statement "function a.b:c() end" is an Assign, too.
type Assign struct {
	at
	Targets, Values []Expression
}

// CallStatement is a call whose results are dropped.
type CallStatement struct {
	at
	Call *Call
}

// Block is do … end.
type Block struct {
	at
	Body []Statement
}

// Loop is while, repeat or for. The package's users do not need to distinguish them.
type Loop struct {
	at
	// Heads are the condition, or the expressions after = or in.
	Heads []Expression
	// Names are the loop's variables.
	Names []string
	Body  []Statement
}

// If is one branch per condition, and one more branch for else.
type If struct {
	at
	Conditions []Expression
	Branches   [][]Statement
}

// Return ends a block.
type Return struct {
	at
	Values []Expression
}

// Jump is break, or goto Label.
type Jump struct {
	at
	Label string // "" for break
}

// Label is the target of a goto.
type Label struct {
	at
	Name string
}

// Constant is nil, true, false, a number or a string.
type Constant struct {
	at
	// Value is nil, a bool, a Number or a string.
	Value any
	// TextPos is the position of the first byte of a string's content.
	TextPos Pos
}

// Vararg is "...".
type Vararg struct{ at }

// Name is a local or global variable.
type Name struct {
	at
	Name string
}

// Index is Object[Key], also in the form Object.Key.
type Index struct {
	at
	Object, Key Expression
}

// Call is a call. For Function:Method(Arguments), Method is not "".
type Call struct {
	at
	Function  Expression
	Method    string
	Arguments []Expression
}

// Function is a function without its name.
type Function struct {
	at
	Parameters []string
	Body       []Statement
}

// Table is a table constructor.
type Table struct {
	at
	Fields []Field
}

// Field is one field of a table constructor. Key is nil for a field of the list part.
type Field struct{ Key, Value Expression }

// Operation is an operator with its operands. Left is nil for an operator with one operand.
type Operation struct {
	at
	Operator    string
	Left, Right Expression
}

// Group is an expression in parentheses. It has exactly one value.
type Group struct {
	at
	Inner Expression
}
