package bench

import (
	"math"
	"testing"
)

// TestPercentile99 checks the interpolation between the limits of buckets.
func TestPercentile99(t *testing.T) {
	for name, test := range map[string]struct {
		buckets map[float64]float64
		want    float64
	}{
		"no entries":              {map[float64]float64{1: 0, math.Inf(1): 0}, 0},
		"all in the first bucket": {map[float64]float64{1: 100, 10: 100, math.Inf(1): 100}, 0.99},
		"in the second bucket":    {map[float64]float64{1: 98, 10: 100, math.Inf(1): 100}, 5.5},
		"above the last limit":    {map[float64]float64{1: 50, 10: 90, math.Inf(1): 100}, 10},
	} {
		if got := percentile99(test.buckets); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
