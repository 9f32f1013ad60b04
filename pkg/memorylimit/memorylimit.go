// Package memorylimit makes Go's garbage collector work harder before a container reaches its memory limit and is
// killed.
package memorylimit

import (
	"fmt"
	"runtime/debug"
	"strconv"
)

// Variable is the environment variable with the memory limit of the container, in bytes.
const Variable = "MEMORY_LIMIT"

// percent is the part of the limit that Go uses. The rest is for memory that Go does not count, such as the program.
const percent = 90

// Set sets Go's memory limit from the environment, and returns it in bytes. It returns 0 and changes nothing if the
// environment has no limit, or if GOMEMLIMIT sets Go's limit directly.
func Set(environment func(string) string) (int64, error) {
	text := environment(Variable)
	if text == "" || environment("GOMEMLIMIT") != "" {
		return 0, nil
	}
	limit, err := strconv.ParseInt(text, 10, 64)
	if err != nil || limit <= 0 {
		return 0, fmt.Errorf("environment variable %s: %q must be a number of bytes greater than 0", Variable, text)
	}
	limit = limit / 100 * percent
	debug.SetMemoryLimit(limit)
	return limit, nil
}
