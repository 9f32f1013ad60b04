package mutate_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		pod     string
		request annotations.Request
		want    []string
	}{
		"image and others": {
			pod: `{"spec":{"initContainers":[{"name":"wait","image":"kong:3.9"}],"containers":[
				{"name":"proxy","image":"example.com/kong-gateway:3.9@sha256:abc"},
				{"name":"ingress","image":"kong/kubernetes-ingress-controller:3"},
				{"name":"backup","image":"postgres:16","env":[{"name":"KONG_PG_HOST","value":"pg"}]},
				{"name":"app","image":"app"}]}}`,
			want: []string{
				"wait runs: its image is kong", "proxy runs: its image is kong-gateway",
				"ingress: it is an ingress controller or an operator of Kong",
				"backup: another container has Kong's image, so this one is a client of Kong",
				"app: it has neither Kong's image nor Kong's own settings",
			},
		},
		"settings": {
			pod: `{"metadata":{"annotations":{"kongdao.io/plugins":"a"}},"spec":{"containers":[
				{"name":"gateway","image":"gateway","env":[{"name":"KONG_DATABASE","value":"postgres"}]}]}}`,
			want: []string{"gateway runs: it has 1 of Kong's own settings, such as KONG_DATABASE"},
		},
		"too few settings": {
			pod: `{"spec":{"containers":[{"name":"gateway","image":"gateway","env":[{"name":"KONG_DATABASE","value":"off"}]}]}}`,
			want: []string{
				"gateway: it has 1 of Kong's own settings, and 2 are necessary without Kong's image",
			},
		},
		"named": {
			pod:     `{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"kong:3.9"}]}}`,
			request: annotations.Request{Containers: []string{"a"}},
			want: []string{
				"a runs: annotation kongdao.io/containers names it", "b: annotation kongdao.io/containers names other containers",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, verdict := range mutate.Verdicts(decode(t, []byte(test.pod)), test.request) {
				text := verdict.Container + ": " + verdict.Reason
				if verdict.RunsKong {
					text = verdict.Container + " runs: " + verdict.Reason
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestVerdictsAgreeWithInjection checks with every case that only containers that run Kong are changed.
func TestVerdictsAgreeWithInjection(t *testing.T) {
	for _, c := range goldens.Cases(t, casesFolder) {
		t.Run(c.Name, func(t *testing.T) {
			admitted := c.Admit(t)
			runsKong := map[string]bool{}
			var indexes [2]int
			for _, verdict := range mutate.Verdicts(decode(t, c.Pod), admitted.Request) {
				list, at := "/spec/containers/", 0
				if verdict.IsInit {
					list, at = "/spec/initContainers/", 1
				}
				runsKong[list+strconv.Itoa(indexes[at])] = verdict.RunsKong
				indexes[at]++
			}
			for _, operation := range admitted.Patch {
				for container, runs := range runsKong {
					if strings.HasPrefix(operation.Path, container+"/") && !runs {
						t.Errorf("%s is changed, but it does not run Kong", operation.Path)
					}
				}
			}
		})
	}
}
