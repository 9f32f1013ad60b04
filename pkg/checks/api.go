package checks

import (
	"fmt"

	"kongdao.io/kongdao/pkg/luaeval"
)

// checkAPI checks what api.lua returns (fact K40: Kong starts without it, and the Admin API answers 500).
func checkAPI(value luaeval.Value) []Finding {
	if !isCertain(value) || value.Kind == luaeval.TableKind {
		return nil
	}
	return []Finding{Finding{Rule: "api-table",
		Message: fmt.Sprintf("the file returns %s, and must return a table", describe(value)),
		Kong:    "every request to the Admin API answers 500",
		WayOut:  `return the routes: return { ["/path"] = { GET = function(self) ... end } }, or delete the file`,
	}.at(value.Pos)}
}
