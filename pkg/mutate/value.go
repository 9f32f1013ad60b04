package mutate

import "strings"

// Value is what a container sees under a variable's name, as far as its pod says.
type Value struct {
	// Text is the value, or where it comes from: "Secret/pg:host".
	Text string
	// Literal says that Text is the value itself, and the same in every namespace.
	Literal bool
}

// Value yields what the container sees under name; false where the pod says
// nothing of it.
func (c *Container) Value(name string) (Value, bool) {
	variable := c.Env.lookup(name)
	switch {
	case variable == nil:
		return c.fromAll(name)
	case variable.FromElsewhere:
		return Value{Text: variable.From}, true
	}
	return c.Env.expand(variable.Value, variable.Index), true
}

// fromAll is what envFrom may bring: the last that has the variable counts, and
// which have it nobody can see here (P2).
func (c *Container) fromAll(name string) (Value, bool) {
	var origins []string
	for _, from := range c.EnvFrom {
		if strings.HasPrefix(name, from.Prefix) {
			origins = append(origins, from.Origin)
		}
	}
	if len(origins) == 0 {
		return Value{}, false
	}
	return Value{Text: "envFrom " + strings.Join(origins, ", ")}, true
}

// expand replaces $(NAME) as the kubelet does: by a variable that stands before
// (P2); $$ is a dollar. What refers to nothing in the list, as to a Service's
// variable, stays as it is, and is another value in another namespace.
func (e *Env) expand(text string, before int) Value {
	expander := expander{env: e, left: mostReferences}
	expanded := expander.expand(text, before)
	return Value{Text: expanded, Literal: !expander.elsewhere}
}

// mostReferences bounds how many references one value is followed through: each
// may double the text.
const mostReferences = 64

type expander struct {
	env *Env
	// left is how many references may still be followed.
	left int
	// elsewhere is set where something does not stand in the list.
	elsewhere bool
}

func (x *expander) expand(text string, before int) string {
	var result strings.Builder
	for {
		dollar := strings.IndexByte(text, '$')
		if dollar < 0 || dollar == len(text)-1 {
			return result.String() + text
		}
		result.WriteString(text[:dollar])
		text = text[dollar:]
		end := strings.IndexByte(text, ')')
		switch {
		case text[1] == '$':
			result.WriteByte('$')
			text = text[2:]
		case text[1] == '(' && end > 0:
			result.WriteString(x.follow(text[2:end], before))
			text = text[end+1:]
		default:
			result.WriteByte('$')
			text = text[1:]
		}
	}
}

func (x *expander) follow(name string, before int) string {
	x.left--
	for i := min(before, len(x.env.all)) - 1; i >= 0 && x.left > 0; i-- {
		variable := &x.env.all[i]
		switch {
		case variable.Name != name:
		case variable.FromElsewhere:
			x.elsewhere = true
			return "{" + variable.From + "}"
		default:
			return x.expand(variable.Value, variable.Index)
		}
	}
	x.elsewhere = true
	return "$(" + name + ")"
}
