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
	"kongdao.io/kongdao/test/fixtures"
)

// policy is a PluginPolicy, of which a space tells.
type policy struct {
	space
	// name is the policy's, which begins with another's in another space.
	name string
}

// policy makes a policy for the space alone, of fields as YAML in one line, or
// changes it.
func (s space) policy(name, fields string) policy {
	s.t.Helper()
	return s.policyFor(name, corev1.LabelMetadataName, s.name, fields)
}

// policyFor is policy for all namespaces with a label.
func (s space) policyFor(name, label, value, fields string) policy {
	s.t.Helper()
	p := policy{s, name + "-" + s.name}
	s.t.Cleanup(func() {
		if _, err := kubectl(context.Background(), "", "delete", "pluginpolicy", p.name, "--ignore-not-found"); err != nil {
			s.t.Error(err)
		}
	})
	p.says(fmt.Sprintf(`namespaceSelector: {matchLabels: {%s: %q}}, %s`, label, value, fields))
	return p
}

// says has the policy say something, and waits until kongdao has looked at it.
func (p policy) says(fields string) {
	p.t.Helper()
	p.apply(fmt.Sprintf(`{apiVersion: kongdao.io/v1alpha1, kind: PluginPolicy, metadata: {name: %s}, spec: {%s}}`, p.name, fields))
	p.settled()
}

// settled waits until kongdao has looked at the policy as it is. It has then
// seen to it that it is called.
func (p policy) settled() {
	p.t.Helper()
	eventually(p.t, func() error {
		var read v1alpha1.PluginPolicy
		if err := admin.Get(p.t.Context(), client.ObjectKey{Name: p.name}, &read); err != nil {
			return err
		}
		if read.Status.ObservedGeneration != read.Generation {
			return fmt.Errorf("kongdao has not looked at policy %s", p.name)
		}
		return nil
	})
}

// change patches a part of what the policy says.
func (p policy) change(spec string) {
	p.t.Helper()
	p.run("", "patch", "pluginpolicy", p.name, "--type=merge", "--patch", `{"spec":`+spec+`}`)
	p.settled()
}

func (p policy) remove() {
	p.t.Helper()
	p.run("", "delete", "pluginpolicy", p.name)
}

// shows waits until "kubectl get" shows of the policy, in this order, its mode,
// how many namespaces, pods, injected, to be rolled, opted out and denied there
// are, and whether it is ready; and in its message some words. It says how long
// that took.
func (p policy) shows(want string, words ...string) {
	p.t.Helper()
	began := time.Now()
	eventually(p.t, func() error {
		out, err := p.try("", "get", "pluginpolicies", p.name, "-o", "wide")
		if err != nil {
			return err
		}
		head, row, _ := strings.Cut(out, "\n")
		const columns = "NAME MODE NAMESPACES PODS INJECTED OUTDATED OPTED OUT DENIED READY AGE MESSAGE DENIALS"
		fields := strings.Fields(row)
		if strings.Join(strings.Fields(head), " ") != columns || len(fields) < 9 || strings.Join(fields[1:9], " ") != want {
			return fmt.Errorf("kubectl shows, and not %q:\n%s", want, out)
		}
		for _, word := range words {
			if !strings.Contains(row, word) {
				return fmt.Errorf("%q is not in %q", word, row)
			}
		}
		return nil
	})
	p.t.Logf("%s: shown after %v", want, time.Since(began).Round(100*time.Millisecond))
}

// quiet is a plugin without migrations.
func quiet() files {
	return files{
		"handler.lua": `return { PRIORITY = 1, VERSION = "1.0.0" }`,
		"schema.lua":  `return { name = "quiet", fields = {} }`,
	}
}

// under is the files of plugins below the folder where Kong looks for them.
func under(plugins map[string]files) files {
	all := files{}
	for plugin, release := range plugins {
		for name, content := range release {
			all[plugin+"/"+name] = content
		}
	}
	return all
}

// daoTest is under of a release of the fixture.
func daoTest(release files) files { return under(map[string]files{fixtures.Plugin: release}) }
