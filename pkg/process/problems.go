package process

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problems are mistakes in options. Each begins with the flag to change.
type Problems []error

// Add adds a mistake.
func (p *Problems) Add(format string, args ...any) {
	*p = append(*p, fmt.Errorf(format, args...))
}

// AddInvalid adds a mistake if a check of package validation found any. The flag has the value, which must be valid as
// what, for example as "namespace".
func (p *Problems) AddInvalid(flag, value, what string, found []string) {
	if len(found) > 0 {
		p.Add("%s %q: invalid %s: %s", flag, value, what, found[0])
	}
}

// Join returns all mistakes as one error, sorted and one per line.
func Join(problems ...Problems) error {
	all := slices.Concat(problems...)
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(all...)
}
