package denial_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/denial"
)

func TestListSorted(t *testing.T) {
	a := denial.New(denial.UnknownPlugin, "a %d", 1)
	b := denial.New(denial.BrokenPlugin, "b")
	list := denial.List{b, a, b, a}
	if diff := cmp.Diff(denial.List{a, b}, list.Sorted()); diff != "" {
		t.Errorf("Sorted() is not sorted by message without duplicates (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(denial.List{b, a, b, a}, list); diff != "" {
		t.Errorf("Sorted() changed the list itself (-want +got):\n%s", diff)
	}
	if got := list.Reason(); got != denial.UnknownPlugin {
		t.Errorf("Reason() = %q; want the reason of the first sorted denial, %q", got, denial.UnknownPlugin)
	}
}

func TestEmptyList(t *testing.T) {
	var list denial.List
	if list.Error() != "" || list.Reason() != "" || len(list.Sorted()) != 0 {
		t.Errorf("an empty list has the message %q and the reason %q; want neither", list.Error(), list.Reason())
	}
}

func TestListError(t *testing.T) {
	for name, test := range map[string]struct {
		count  int
		suffix string
		reason string
	}{
		"one":       {1, "message 000", "a single message has no separator"},
		"two":       {2, "message 000; message 001", "messages are joined"},
		"fifty":     {50, "message 049", "the limit is 50 messages"},
		"fifty-one": {51, "message 049; and 1 more", "over the limit, the number of omitted messages follows"},
		"thousand":  {1000, "message 049; and 950 more", "the number counts all omitted messages"},
	} {
		t.Run(name, func(t *testing.T) {
			var list denial.List
			for i := range test.count {
				for range 2 { // duplicates count once
					list = append(list, denial.New(denial.MalformedAnnotation, "message %03d", i))
				}
			}
			slices.Reverse(list)
			got := list.Error()
			if !strings.HasPrefix(got, "message 000") || !strings.HasSuffix(got, test.suffix) {
				t.Errorf("Error() = %q; want the suffix %q: %s", got, test.suffix, test.reason)
			}
		})
	}
}
