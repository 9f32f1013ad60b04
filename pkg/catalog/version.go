package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// CompareVersions compares two versions of a plugin. It returns a negative number if a is older than b. Semantic
// versions have semantic order: 1.9.0, 1.10.0-rc.1, 1.10.0. They may begin with "v" and have any number of numbers.
// Other texts have natural order, in which numbers count as numbers: 2026-9, 2026-10, build7, build10. The empty
// version is the oldest. Only equal texts compare as 0.
func CompareVersions(a, b string) int {
	first, second := parseVersion(a), parseVersion(b)
	return cmp.Or(
		cmp.Compare(first.kind, second.kind),
		first.compareNumbers(second),
		cmp.Compare(first.stage, second.stage),
		first.compareRest(second),
		compareNatural(a, b),
		strings.Compare(a, b),
	)
}

// versionKind is the kind of a version. Kinds are in the order of their age.
type versionKind int

const (
	noVersion versionKind = iota
	numbered
	named // it does not begin with a number
)

// versionStage says what follows the numbers of a version. Stages are in the order of their age.
type versionStage int

const (
	preRelease versionStage = iota // -rc.1
	final
	otherSuffix // it has natural order: 1.0.0_2 is newer than 1.0.0
)

type version struct {
	kind versionKind
	// numbers are digits without leading zeros.
	numbers []string
	stage   versionStage
	rest    string
}

func parseVersion(text string) version {
	if text == "" {
		return version{kind: noVersion}
	}
	rest := text
	if len(rest) > 1 && (rest[0] == 'v' || rest[0] == 'V') && isDigit(rest[1]) {
		rest = rest[1:]
	}
	if !isDigit(rest[0]) {
		return version{kind: named, rest: text}
	}
	parsed := version{kind: numbered, stage: final}
	for {
		end := digitsEnd(rest)
		parsed.numbers = append(parsed.numbers, withoutZeros(rest[:end]))
		rest = rest[end:]
		if len(rest) < 2 || rest[0] != '.' || !isDigit(rest[1]) {
			break
		}
		rest = rest[1:]
	}
	switch {
	case rest == "":
	case rest[0] == '-':
		parsed.stage, parsed.rest = preRelease, rest[1:]
	default:
		parsed.stage, parsed.rest = otherSuffix, rest
	}
	return parsed
}

// compareNumbers compares the numbers. Missing numbers are 0.
func (v version) compareNumbers(other version) int {
	for i := range max(len(v.numbers), len(other.numbers)) {
		if order := compareDigits(numberAt(v.numbers, i), numberAt(other.numbers, i)); order != 0 {
			return order
		}
	}
	return 0
}

func numberAt(numbers []string, i int) string {
	if i < len(numbers) {
		return numbers[i]
	}
	return ""
}

// compareRest compares what follows the numbers of two versions of the same stage.
func (v version) compareRest(other version) int {
	if v.stage != preRelease || v.kind != numbered {
		return compareNatural(v.rest, other.rest)
	}
	return slices.CompareFunc(strings.Split(v.rest, "."), strings.Split(other.rest, "."), comparePreRelease)
}

// comparePreRelease compares two identifiers as https://semver.org does: numbers are older than other identifiers.
func comparePreRelease(a, b string) int {
	switch aIsNumber, bIsNumber := isNumber(a), isNumber(b); {
	case aIsNumber && bIsNumber:
		return compareDigits(withoutZeros(a), withoutZeros(b))
	case aIsNumber:
		return -1
	case bIsNumber:
		return 1
	}
	return strings.Compare(a, b)
}

// compareNatural compares two texts. Runs of digits count as numbers.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			aEnd, bEnd := digitsEnd(a), digitsEnd(b)
			if order := compareDigits(withoutZeros(a[:aEnd]), withoutZeros(b[:bEnd])); order != 0 {
				return order
			}
			a, b = a[aEnd:], b[bEnd:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// compareDigits compares numbers of any length, without leading zeros.
func compareDigits(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func withoutZeros(digits string) string { return strings.TrimLeft(digits, "0") }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNumber(text string) bool { return text != "" && digitsEnd(text) == len(text) }

// digitsEnd returns the length of the digits at the beginning of a text.
func digitsEnd(text string) int {
	end := 0
	for end < len(text) && isDigit(text[end]) {
		end++
	}
	return end
}
