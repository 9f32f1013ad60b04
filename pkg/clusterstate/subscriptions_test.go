package clusterstate

import (
	"slices"
	"testing"
)

func TestSubscribers(t *testing.T) {
	var all subscribers[string]
	all.notify("before any subscriber")
	var first, second []string
	cancelFirst := all.add(func(key string) { first = append(first, key) })
	all.notify("a", "b")
	cancelSecond := all.add(func(key string) { second = append(second, key) })
	all.notify("c")
	cancelFirst()
	cancelFirst()
	all.notify("d")
	cancelSecond()
	all.notify("e")
	if want := []string{"a", "b", "c"}; !slices.Equal(first, want) {
		t.Errorf("the first subscriber got %q, want %q", first, want)
	}
	if want := []string{"c", "d"}; !slices.Equal(second, want) {
		t.Errorf("the second subscriber got %q, want %q", second, want)
	}
}

// TestSubscriberMaySubscribe checks that notify holds no lock while it calls a subscriber.
func TestSubscriberMaySubscribe(t *testing.T) {
	var all subscribers[int]
	var got []int
	var cancel func()
	cancel = all.add(func(key int) {
		cancel()
		all.add(func(key int) { got = append(got, 10*key) })
		got = append(got, key)
	})
	all.notify(1)
	all.notify(2)
	if want := []int{1, 20}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}
