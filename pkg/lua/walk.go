package lua

// Walk calls visit for every statement and expression of a body, from top to bottom. If visit returns false, Walk skips
// what is inside the node.
func Walk(body []Statement, visit func(node any) bool) {
	for _, statement := range body {
		WalkNode(statement, visit)
	}
}

// WalkNode calls visit for a statement or an expression, and for everything inside it.
func WalkNode(node any, visit func(node any) bool) {
	if !visit(node) {
		return
	}
	switch n := node.(type) {
	case *Local:
		walkAll(visit, n.Values)
	case *LocalFunction:
		WalkNode(n.Function, visit)
	case *Assign:
		walkAll(visit, n.Targets, n.Values)
	case *CallStatement:
		WalkNode(n.Call, visit)
	case *Block:
		Walk(n.Body, visit)
	case *Loop:
		walkAll(visit, n.Heads)
		Walk(n.Body, visit)
	case *If:
		walkAll(visit, n.Conditions)
		for _, branch := range n.Branches {
			Walk(branch, visit)
		}
	case *Return:
		walkAll(visit, n.Values)
	default:
		walkExpression(node, visit)
	}
}

func walkExpression(node any, visit func(node any) bool) {
	switch n := node.(type) {
	case *Index:
		walkAll(visit, []Expression{n.Object, n.Key})
	case *Call:
		WalkNode(n.Function, visit)
		walkAll(visit, n.Arguments)
	case *Function:
		Walk(n.Body, visit)
	case *Table:
		for _, field := range n.Fields {
			if field.Key != nil {
				WalkNode(field.Key, visit)
			}
			WalkNode(field.Value, visit)
		}
	case *Operation:
		if n.Left != nil {
			WalkNode(n.Left, visit)
		}
		WalkNode(n.Right, visit)
	case *Group:
		WalkNode(n.Inner, visit)
	}
}

func walkAll(visit func(node any) bool, lists ...[]Expression) {
	for _, list := range lists {
		for _, expression := range list {
			WalkNode(expression, visit)
		}
	}
}
