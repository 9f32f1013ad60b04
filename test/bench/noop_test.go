package bench

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/test/installation"
	"kongdao.io/kongdao/test/process"
)

// noopWebhook is a process with the webhook that does nothing.
type noopWebhook struct {
	process        *process.Process
	address        string
	metricsAddress string
	// reviewFile is where the path /capture stores the last review.
	reviewFile string
}

// startNoopWebhook builds the program in ./noop and starts it. It uses the serving certificate in dir.
func startNoopWebhook(ctx context.Context, dir string) (*noopWebhook, error) {
	program := filepath.Join(dir, "noop")
	arguments := slices.Concat(
		[]string{"build"}, releaseFlags(), []string{"-o", program, "kongdao.io/kongdao/test/bench/noop"})
	if output, err := exec.CommandContext(ctx, "go", arguments...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build test/bench/noop: %w\n%s", err, output)
	}
	ports, err := installation.FreePorts(2)
	if err != nil {
		return nil, err
	}
	n := &noopWebhook{
		address:        net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])),
		metricsAddress: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])),
		reviewFile:     reviewFile(dir),
	}
	n.process, err = process.Start(program, []string{
		"--cert-dir", dir, "--port", strconv.Itoa(ports[0]), "--metrics-address", n.metricsAddress,
		"--capture", n.reviewFile,
	}, filepath.Join(dir, "noop.log"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = n.process.WaitUntil(ctx, func(context.Context) error {
		connection, err := net.Dial("tcp", n.address)
		if err != nil {
			return err
		}
		return connection.Close()
	})
	if err != nil {
		_ = n.process.Kill() // err already has the reason
		return nil, err
	}
	return n, nil
}

// url returns the URL of a path: /noop, /label or /capture.
func (n *noopWebhook) url(path string) string { return "https://" + n.address + path }

// configuration registers a path of the webhook for the pods of a namespace that match the conditions. The API server
// calls webhooks in the order of their configurations' names, so this webhook is the first.
func (n *noopWebhook) configuration(
	path, namespace string, conditions ...admissionregistrationv1.MatchCondition,
) *admissionregistrationv1.MutatingWebhookConfiguration {
	name, url := path[1:], n.url(path)
	none, fail := admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.Fail
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "a-" + name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: name + ".bench.kongdao.io", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none,
			MatchConditions: conditions, FailurePolicy: &fail, TimeoutSeconds: new(int32(5)),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: shared.plane.CA()},
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: namespace},
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
				},
			}},
		}},
	}
}
