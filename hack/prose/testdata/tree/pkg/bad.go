// Package bad is code whose comments say it all the
// same way, or all the same.
package bad

import (
	"errors"
	"fmt"
)

//nolint:revive // whoever reads this
//go:generate whoever

// Bad does what it does (K1).
//
//		whoever := "an example"
//
//	  - a list item that is mended
//	    and goes on, whoever reads it
//
// +kubebuilder:validation:XValidation:rule="self == 'whoever'",message="refused by nobody"
func Bad(name string) error {
	if name == "" {
		return errors.New("give a name, or \"nobody\" gets " +
			"a plugin any more")
	}
	key := "whoever" // fact V9
	return fmt.Errorf("a name is refused: %q\nconnection refused: %s %w", name, key, errors.ErrUnsupported)
}

// Help is what users read.
const Help = `Use it thus.

  an example, whoever runs it and whatever it does, which is a long line that is longer than one hundred and twenty columns
`
