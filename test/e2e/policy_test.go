//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// policy is a PluginPolicy of a test.
type policy struct {
	space
	// name is the full name. It ends with the name of the namespace, so that it is unique.
	name string
}

// policy creates or changes a policy that selects only this namespace. The fields of its spec are YAML in one line.
func (s space) policy(name, fields string) policy {
	s.t.Helper()
	return s.policyFor(name, corev1.LabelMetadataName, s.name, fields)
}

// policyFor creates or changes a policy that selects all namespaces with a label.
func (s space) policyFor(name, label, value, fields string) policy {
	s.t.Helper()
	p := policy{s, name + "-" + s.name}
	s.t.Cleanup(func() {
		_, err := kubectl(context.Background(), "", "delete", "pluginpolicy", p.name, "--ignore-not-found")
		if err != nil {
			s.t.Error(err)
		}
	})
	p.apply(fmt.Sprintf(
		`{apiVersion: kongdao.io/v1alpha1, kind: PluginPolicy, metadata: {name: %s}, `+
			`spec: {namespaceSelector: {matchLabels: {%s: %q}}, %s}}`, p.name, label, value, fields))
	p.waitObserved()
	return p
}

// waitObserved waits until kongdao has observed the current generation of the policy. The webhook for policies is then
// configured if the policy needs it.
func (p policy) waitObserved() {
	p.t.Helper()
	eventually(p.t, func() error {
		var current v1alpha1.PluginPolicy
		if err := admin.Get(p.t.Context(), client.ObjectKey{Name: p.name}, &current); err != nil {
			return err
		}
		if current.Status.ObservedGeneration != current.Generation {
			return fmt.Errorf("the status of policy %s describes an earlier generation", p.name)
		}
		return nil
	})
}

// change patches the spec of the policy.
func (p policy) change(spec string) {
	p.t.Helper()
	p.run("", "patch", "pluginpolicy", p.name, "--type=merge", "--patch", `{"spec":`+spec+`}`)
	p.waitObserved()
}

func (p policy) remove() {
	p.t.Helper()
	p.run("", "delete", "pluginpolicy", p.name)
}

// wantRow waits until "kubectl get" prints these values for the policy: mode, namespaces, pods, injected, outdated,
// opted out, denied and ready. Its messages must contain all texts.
func (p policy) wantRow(want string, texts ...string) {
	p.t.Helper()
	const columns = "NAME MODE NAMESPACES PODS INJECTED OUTDATED OPTED OUT DENIED READY AGE MESSAGE DENIALS"
	start := time.Now()
	eventually(p.t, func() error {
		out, err := p.try("", "get", "pluginpolicies", p.name, "-o", "wide")
		if err != nil {
			return err
		}
		head, row, _ := strings.Cut(out, "\n")
		fields := strings.Fields(row)
		if strings.Join(strings.Fields(head), " ") != columns || len(fields) < 9 ||
			strings.Join(fields[1:9], " ") != want {
			return fmt.Errorf("kubectl does not print %q:\n%s", want, out)
		}
		for _, text := range texts {
			if !strings.Contains(row, text) {
				return fmt.Errorf("the row does not contain %q: %s", text, row)
			}
		}
		return nil
	})
	p.t.Logf("kubectl prints %q after %v", want, time.Since(start).Round(100*time.Millisecond))
}
