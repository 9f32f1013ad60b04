package checks

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// KongVersion is a minor version of Kong Gateway: 3.9. The zero value means that the version is not known.
type KongVersion struct{ Major, Minor int }

// Versions whose rules the checks know.
var (
	// OldestKong is the oldest version with rules.
	OldestKong = KongVersion{2, 8}
	// NewestKong is the newest version whose code was read for the rules. Newer versions get its rules.
	NewestKong = KongVersion{3, 9}
)

// ParseKongVersion parses a version of Kong: "3.9", "3.9.1" or "3.10.0.2".
func ParseKongVersion(text string) (KongVersion, error) {
	elements := strings.Split(text, ".")
	numbers := make([]int, len(elements))
	for i, element := range elements {
		number, err := strconv.ParseUint(element, 10, 16)
		if err != nil || len(elements) < 2 {
			return KongVersion{}, fmt.Errorf("%q is not a version of Kong; write two numbers or more, for example 3.9", text)
		}
		numbers[i] = int(number)
	}
	version := KongVersion{numbers[0], numbers[1]}
	if version.Before(OldestKong) {
		return KongVersion{}, fmt.Errorf("the checks have no rules for Kong %s; the oldest version is %s", text, OldestKong)
	}
	return version, nil
}

func (v KongVersion) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// IsZero reports whether the version is not known.
func (v KongVersion) IsZero() bool { return v == KongVersion{} }

// Before reports whether a version is older than another.
func (v KongVersion) Before(other KongVersion) bool {
	return cmp.Or(cmp.Compare(v.Major, other.Major), cmp.Compare(v.Minor, other.Minor)) < 0
}

// versions is a range of versions. The zero value has all versions.
type versions struct {
	// since is the first version, and until is the first version after the range. Both can be zero.
	since, until KongVersion
}

// contains reports whether a version is in the range.
func (r versions) contains(v KongVersion) bool {
	return !v.Before(r.since) && (r.until.IsZero() || v.Before(r.until))
}

// isAll reports whether all versions with rules are in the range.
func (r versions) isAll() bool { return !OldestKong.Before(r.since) && r.until.IsZero() }

// String returns "all versions", "3.0 and newer" or "before 3.4".
func (r versions) String() string {
	switch {
	case r.isAll():
		return "all versions"
	case r.until.IsZero():
		return r.since.String() + " and newer"
	case OldestKong.Before(r.since):
		return fmt.Sprintf("%s, before %s", r.since, r.until)
	}
	return "before " + r.until.String()
}
