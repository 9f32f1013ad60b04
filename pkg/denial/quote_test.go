package denial_test

import (
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/denial"
)

func TestQuote(t *testing.T) {
	long := strings.Repeat("x", 81)
	for name, test := range map[string]struct{ value, want, reason string }{
		"plain":         {"a", `"a"`, "as %q"},
		"empty":         {"", `""`, "as %q"},
		"control bytes": {"a\n\x1b[31m\"", `"a\n\x1b[31m\""`, "a log never gets a line break or an escape sequence"},
		"limit":         {long[:80], `"` + long[:80] + `"`, "80 bytes are not truncated"},
		"over limit":    {long, `"` + long[:80] + `"... (81 bytes)`, "81 bytes are truncated"},
		"split rune": {
			long[:79] + "é", `"` + long[:79] + `\xc3"... (81 bytes)`, "half of a rune is written as a byte",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := denial.Quote(test.value); got != test.want {
				t.Errorf("Quote(%q) = %s; want %s: %s", test.value, got, test.want, test.reason)
			}
		})
	}
}

func TestQuoteNames(t *testing.T) {
	twelve := make([]string, 12)
	for i := range twelve {
		twelve[i] = fmt.Sprintf("n%02d", len(twelve)-i)
	}
	ten := `"n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09"`
	for name, test := range map[string]struct {
		names []string
		want  string
	}{
		"none":      {nil, ""},
		"one":       {[]string{"a"}, `"a"`},
		"two":       {[]string{"b", "a"}, `"a" and "b"`},
		"three":     {[]string{"c", "b", "a"}, `"a", "b" and "c"`},
		"duplicate": {[]string{"b", "a", "b"}, `"a" and "b"`},
		"ten":       {twelve[2:], ten + ` and "n10"`},
		"twelve":    {twelve, ten + `, "n10" and 2 more`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := denial.QuoteNames(test.names); got != test.want {
				t.Errorf("QuoteNames(%q) = %s; want %s", test.names, got, test.want)
			}
		})
	}
	if twelve[0] != "n12" {
		t.Error("QuoteNames sorted its argument; want the argument unchanged")
	}
}

func TestQuoteConfigMaps(t *testing.T) {
	if got, want := denial.QuoteConfigMaps([]string{"a"}), `ConfigMap "a"`; got != want {
		t.Errorf("QuoteConfigMaps of one name = %s; want %s", got, want)
	}
	if got, want := denial.QuoteConfigMaps([]string{"b", "a"}), `ConfigMaps "a" and "b"`; got != want {
		t.Errorf("QuoteConfigMaps of two names = %s; want %s", got, want)
	}
}
