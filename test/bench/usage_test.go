package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has used since its start.
type usage struct {
	cpu         time.Duration
	allocations float64
}

// readUsage reads the usage of a Go process from its metrics.
func readUsage(ctx context.Context, metricsAddress string) (usage, error) {
	const cpuMetric, allocationsMetric = "process_cpu_seconds_total", "go_memstats_mallocs_total"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metricsAddress+"/metrics", http.NoBody)
	if err != nil {
		return usage{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return usage{}, err
	}
	defer response.Body.Close()
	values := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = number
		}
	}
	for _, name := range []string{cpuMetric, allocationsMetric} {
		if _, ok := values[name]; !ok {
			return usage{}, fmt.Errorf("%s has no metric %s", metricsAddress, name)
		}
	}
	return usage{
		cpu:         time.Duration(values[cpuMetric] * float64(time.Second)),
		allocations: values[allocationsMetric],
	}, nil
}

// readMemory reads a value of /proc/PID/status, such as VmRSS, in bytes.
func readMemory(pid int, name string) (float64, error) {
	file := fmt.Sprintf("/proc/%d/status", pid)
	status, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// median returns the median of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
