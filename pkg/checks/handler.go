package checks

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

const notStarting = "Kong does not start"

// checkHandler checks what handler.lua returns (fact K36: PRIORITY is an integer, VERSION is a version of at most three
// numbers).
func checkHandler(handler luaeval.Value, resolve resolver) []Finding {
	handler = resolve(handler)
	switch handler.Kind {
	case luaeval.Unknown, luaeval.Module:
		return nil
	case luaeval.TableKind:
	default:
		return []Finding{Finding{Rule: "handler-table", Kong: notStarting,
			Message: fmt.Sprintf("the file returns %s, and must return a table", describe(handler)),
			WayOut:  `end the file with "return NAME", where NAME is the table with PRIORITY, VERSION and the phases`,
		}.at(handler.Pos)}
	}
	if handler.Table.IsOpen {
		return nil
	}
	var findings []Finding
	findings = append(findings, checkPriority(resolve(handler.Table.Get("PRIORITY")), handler.Pos)...)
	findings = append(findings, checkVersion(resolve(handler.Table.Get("VERSION")), handler.Pos)...)
	return append(findings, checkPhases(handler.Table)...)
}

func checkPriority(priority luaeval.Value, table lua.Pos) []Finding {
	finding := Finding{Rule: "handler-priority",
		WayOut: "write PRIORITY = 1000, without quotes; plugins with a higher number run first"}
	said := func(got string) string {
		return fmt.Sprintf("%s: \"its PRIORITY field is not a valid integer number, got: %q\"", notStarting, got)
	}
	switch priority.Kind {
	case luaeval.Unknown, luaeval.Module:
		return nil
	case luaeval.Nil:
		finding.Message, finding.Kong = "the handler has no PRIORITY", said("nil")
		return []Finding{finding.at(table)}
	case luaeval.Number:
		if priority.Number == math.Trunc(priority.Number) && !math.IsInf(priority.Number, 0) {
			return nil
		}
		finding.Message = fmt.Sprintf("PRIORITY is %v, and must be an integer", priority.Number)
		finding.Kong = said(fmt.Sprint(priority.Number))
	default:
		finding.Message = fmt.Sprintf("PRIORITY is %s, and must be an integer", describe(priority))
		finding.Kong = said(priority.Text)
	}
	return []Finding{finding.at(priority.Pos)}
}

func checkVersion(version luaeval.Value, table lua.Pos) []Finding {
	finding := Finding{Rule: "handler-version", WayOut: `write VERSION = "1.0.0", with quotes`}
	said := func(got string) string {
		return fmt.Sprintf("%s: \"its VERSION field does not follow the \"x.y.z\" format, got: %q\"", notStarting, got)
	}
	switch version.Kind {
	case luaeval.Unknown, luaeval.Module:
		return nil
	case luaeval.Nil:
		finding.Message, finding.Kong = "the handler has no VERSION", said("nil")
		return []Finding{finding.at(table)}
	case luaeval.String:
		if IsKongVersion(version.Text) {
			return nil
		}
		finding.Message = fmt.Sprintf("VERSION is %q, and must hold a version of one to three numbers", version.Text)
		finding.Kong = said(version.Text)
	default:
		finding.Message = fmt.Sprintf("VERSION is %s, and must be a string", describe(version))
		finding.Kong = said(fmt.Sprint(version.Number))
	}
	return []Finding{finding.at(version.Pos)}
}

var versionPattern = regexp.MustCompile(`[0-9][0-9.]*`)

// IsKongVersion reports whether Kong takes a VERSION: the first run of digits and dots must hold one to three numbers
// (fact K36).
func IsKongVersion(version string) bool {
	numbers := strings.FieldsFunc(versionPattern.FindString(version), func(c rune) bool { return c == '.' })
	return len(numbers) >= 1 && len(numbers) <= 3
}

// checkPhases finds phases that exclude each other.
func checkPhases(handler *luaeval.Table) []Finding {
	if handler.Get("response").Kind != luaeval.FunctionKind {
		return nil
	}
	for _, phase := range []string{"header_filter", "body_filter"} {
		if function := handler.Get(phase); function.Kind == luaeval.FunctionKind {
			return []Finding{Finding{Rule: "handler-phases",
				Message: fmt.Sprintf("the handler has the phases response and %s, which exclude each other", phase),
				Kong:    notStarting + ": \"it implements both `response` and `header_filter` or `body_filter` methods\"",
				WayOut:  "move the code of one phase to the other",
			}.at(function.Pos)}
		}
	}
	return nil
}

// describe names a value in a message: `the string "a"`, "nothing", "a table".
func describe(value luaeval.Value) string {
	const maxShown = 40
	switch value.Kind {
	case luaeval.Nil:
		return "nothing"
	case luaeval.String:
		if len(value.Text) > maxShown {
			return fmt.Sprintf("the string %q...", value.Text[:maxShown])
		}
		return fmt.Sprintf("the string %q", value.Text)
	case luaeval.Number:
		return fmt.Sprintf("the number %v", value.Number)
	case luaeval.Boolean:
		return fmt.Sprint(value.Boolean)
	}
	return "a " + value.Kind.String()
}
