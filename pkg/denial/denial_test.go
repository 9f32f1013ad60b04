package denial_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/denial"
)

func TestSorted(t *testing.T) {
	a := denial.New(denial.UnknownPlugin, "a %d", 1)
	b := denial.New(denial.BrokenPlugin, "b")
	list := denial.List{b, a, b, a}
	if diff := cmp.Diff(denial.List{a, b}, list.Sorted()); diff != "" {
		t.Errorf("not by message, each once:\n%s", diff)
	}
	if diff := cmp.Diff(denial.List{b, a, b, a}, list); diff != "" {
		t.Errorf("the list itself was changed:\n%s", diff)
	}
	if got := list.Reason(); got != denial.UnknownPlugin {
		t.Errorf("Reason() = %q; want that of the first sorted denial", got)
	}
}

func TestEmptyList(t *testing.T) {
	var list denial.List
	if list.Error() != "" || list.Reason() != "" || len(list.Sorted()) != 0 {
		t.Errorf("nothing to mend says something: %q %q", list.Error(), list.Reason())
	}
}

func TestError(t *testing.T) {
	for name, test := range map[string]struct {
		count  int
		ends   string
		reason string
	}{
		"one":      {1, "message 000", "one message stands alone"},
		"two":      {2, "message 000; message 001", "messages are joined"},
		"fifty":    {50, "message 049", "fifty are all spelled out"},
		"one more": {51, "message 049; and 1 more", "of more the number is said"},
		"many":     {1000, "message 049; and 950 more", "however many"},
	} {
		t.Run(name, func(t *testing.T) {
			var list denial.List
			for i := range test.count {
				for range 2 { // twice: counted once
					list = append(list, denial.New(denial.MalformedAnnotation, "message %03d", i))
				}
			}
			slices.Reverse(list)
			got := list.Error()
			if !strings.HasPrefix(got, "message 000") || !strings.HasSuffix(got, test.ends) {
				t.Errorf("%q does not end in %q: %s", got, test.ends, test.reason)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	for name, test := range map[string]struct{ value, want, reason string }{
		"plain":       {"a", `"a"`, "%q"},
		"empty":       {"", `""`, "%q"},
		"hostile":     {"a\n\x1b[31m\"", `"a\n\x1b[31m\""`, "no line break and no escape gets into a log"},
		"limit":       {strings.Repeat("x", 80), `"` + strings.Repeat("x", 80) + `"`, "80 bytes are whole"},
		"long":        {strings.Repeat("x", 81), `"` + strings.Repeat("x", 80) + `"... (81 bytes)`, "81 are cut"},
		"cut in rune": {strings.Repeat("x", 79) + "é", `"` + strings.Repeat("x", 79) + `\xc3"... (81 bytes)`, "half a rune is written as bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := denial.Quote(test.value); got != test.want {
				t.Errorf("Quote(%q) = %s; want %s: %s", test.value, got, test.want, test.reason)
			}
		})
	}
}

func TestNames(t *testing.T) {
	many := make([]string, 12)
	for i := range many {
		many[i] = fmt.Sprintf("n%02d", len(many)-i)
	}
	for name, test := range map[string]struct {
		names []string
		want  string
	}{
		"none":   {nil, ""},
		"one":    {[]string{"a"}, `"a"`},
		"two":    {[]string{"b", "a"}, `"a" and "b"`},
		"three":  {[]string{"c", "b", "a"}, `"a", "b" and "c"`},
		"twice":  {[]string{"b", "a", "b"}, `"a" and "b"`},
		"ten":    {many[2:], `"n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09" and "n10"`},
		"twelve": {many, `"n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09", "n10" and 2 more`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := denial.QuoteNames(test.names); got != test.want {
				t.Errorf("QuoteNames(%q) = %s; want %s", test.names, got, test.want)
			}
		})
	}
	if many[0] != "n12" {
		t.Error("the names themselves were sorted")
	}
}
