package mutate

import "strings"

// Value is what the pod shows of a variable's value.
type Value struct {
	// Text is the value, or where it comes from: "Secret/pg:host".
	Text string
	// Literal reports whether Text is the value itself, which is then the same in every namespace.
	Literal bool
}

// Value returns the value of a variable in a container of the pod. It returns false if the pod does not set the
// variable, and no other variable names a file with its value.
func (p *Pod) Value(c *Container, name string) (Value, bool) {
	variable, file := c.Env.lookup(name), c.Env.lookup(name+fileSuffix)
	switch {
	case variable == nil && file != nil:
		return Value{Text: p.fileOrigin(c, file)}, true
	case variable == nil:
		return c.envFromValue(name)
	case variable.HasValueFrom:
		return Value{Text: variable.ValueFrom}, true
	}
	return c.Env.expand(variable.Value, variable.Index), true
}

// envFromValue names all sources of envFrom that may set a variable. The pod does not show whether they do.
func (c *Container) envFromValue(name string) (Value, bool) {
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

// expand expands $(NAME) as kubelet does: it refers to an earlier variable (fact P2), and $$ is a dollar. A reference
// to a variable that is not in the list stays as it is. It may name a Service, which differs between namespaces.
func (e *Env) expand(text string, before int) Value {
	expander := expander{env: e, references: maxReferences}
	expanded := expander.expand(text, before)
	return Value{Text: expanded, Literal: !expander.incomplete}
}

// maxReferences limits the references that one value may follow, because each may double the text.
const maxReferences = 64

type expander struct {
	env *Env
	// references is how many references may still be followed.
	references int
	// incomplete is set if a part of the value is not in the list.
	incomplete bool
}

// expand expands a text that can refer to the variables before an index.
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

// follow returns the value of the last variable with this name before an index.
func (x *expander) follow(name string, before int) string {
	x.references--
	for i := min(before, len(x.env.all)) - 1; i >= 0 && x.references > 0; i-- {
		variable := &x.env.all[i]
		switch {
		case variable.Name != name:
		case variable.HasValueFrom:
			x.incomplete = true
			return "{" + variable.ValueFrom + "}"
		default:
			return x.expand(variable.Value, variable.Index)
		}
	}
	x.incomplete = true
	return "$(" + name + ")"
}
