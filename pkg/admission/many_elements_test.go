package admission

import (
	"runtime"
	"strings"
	"testing"
)

// TestManyElements checks that a review of many small elements does not need much more memory than its text. Without a
// limit, one review of 6 MiB needed 1,600 MiB in total and 320 MiB at its end.
func TestManyElements(t *testing.T) {
	const maxAllocated = 128 << 20
	for name, around := range map[string][3]string{
		"containers":  {`"spec":{"containers":[`, `{}`, `]}`},
		"mounts":      {`"spec":{"containers":[{"name":"proxy","image":"kong","volumeMounts":[`, `{}`, `]}]}`},
		"volumes":     {`"spec":{"volumes":[`, `{}`, `]}`},
		"gates":       {`"spec":{"schedulingGates":[`, `{}`, `]}`},
		"owners":      {`"metadata":{"ownerReferences":[`, `{}`, `]}`},
		"variables":   {`"spec":{"containers":[{"name":"proxy","image":"kong","env":[`, `{"name":"KONG_A"}`, `]}]}`},
		"annotations": {`"metadata":{"annotations":{`, `"kongdao.io/a":""`, `}}`},
	} {
		t.Run(name, func(t *testing.T) {
			count := (6 << 20) / (len(around[1]) + 1)
			list := around[0] + strings.TrimSuffix(strings.Repeat(around[1]+",", count), ",") + around[2]
			body := []byte(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u",` +
				`"operation":"CREATE","resource":{"resource":"pods"},"namespace":"kong","object":{` + list + `}}}`)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := decodePodReview(body)
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > maxAllocated {
				t.Errorf("allocated %d MiB, want at most %d MiB", allocated>>20, maxAllocated>>20)
			}
			if err == nil || !strings.Contains(err.Error(), "more than 100000 elements and members") {
				t.Errorf("got error %v", err)
			}
		})
	}
}
