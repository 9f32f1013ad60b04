//go:build e2e

package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestImage runs the image with the Pod Security Standard "restricted". The kubelet starts it only if its user is a
// number other than 0. The version of the program is the tag of the image.
func TestImage(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	security := restricted()
	security.RunAsUser, security.RunAsGroup = nil, nil // the values of the image apply
	s.apply(manifests(t, &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "webhook"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{
				{Name: "webhook", Image: image, Args: []string{"--version"}, SecurityContext: security},
			},
		},
	}))
	s.run("", "wait", "pod/webhook", "--for=jsonpath={.status.phase}=Succeeded", "--timeout="+waitTimeout.String())
	want := image[strings.LastIndex(image, ":")+1:]
	if got := strings.TrimSpace(s.run("", "logs", "webhook")); got != want {
		t.Errorf("the program prints the version %q; want %q", got, want)
	}
}
