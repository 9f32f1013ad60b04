package chart

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/wait"
)

// TestCopyPolicyNamesTheAccount proves that the ValidatingAdmissionPolicy recognizes the service account of the pods,
// and denies requests that it cannot evaluate.
func TestCopyPolicyNamesTheAccount(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		if set != "bare" && set != "namespaced" {
			checkCopyPolicy(t, objects)
			return
		}
		for _, object := range objects {
			if strings.HasPrefix(object.GetKind(), "ValidatingAdmissionPolicy") && isForCopies(object) {
				t.Errorf("policies are disabled, but %s exists", key(object))
			}
		}
	})
	t.Run("an existing account", func(t *testing.T) {
		checkCopyPolicy(t, render(t, "--set", "controller.serviceAccount.create=false", "--set",
			"controller.serviceAccount.name=gateways"))
	})
}

// isForCopies reports whether an object is the policy for copies or its binding. The other policies are only for
// kongdao's accounts.
func isForCopies(object *unstructured.Unstructured) bool {
	return strings.HasSuffix(object.GetName(), "-copies")
}

func checkCopyPolicy(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	account := controller.podSpec(t, objects).ServiceAccountName
	objects = slices.DeleteFunc(slices.Clone(objects), func(object *unstructured.Unstructured) bool {
		return !isForCopies(object)
	})
	policy := find[admissionregistrationv1.ValidatingAdmissionPolicy](t, objects, "ValidatingAdmissionPolicy")
	want := fmt.Sprintf("request.userInfo.username == 'system:serviceaccount:%s:%s'", releaseNamespace, account)
	got := ""
	for _, variable := range policy.Spec.Variables {
		if variable.Name == "isKongdao" {
			got = variable.Expression
		}
	}
	if got != want {
		t.Errorf("the variable isKongdao is %q, want %q", got, want)
	}
	if failure := policy.Spec.FailurePolicy; failure == nil || *failure != admissionregistrationv1.Fail {
		t.Errorf("the failurePolicy is %v, want Fail", failure)
	}
	wantBinding := admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName:        policy.Name,
		ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
	}
	const bindingKind = "ValidatingAdmissionPolicyBinding"
	binding := find[admissionregistrationv1.ValidatingAdmissionPolicyBinding](t, objects, bindingKind)
	if diff := cmp.Diff(wantBinding, binding.Spec); diff != "" {
		t.Errorf("binding (-want +got)\n%s", diff)
	}
}

// Parts of the messages with which the API server rejects ConfigMaps.
const (
	prefixIsReserved = "the prefix kongdao-copy- is reserved for kongdao's copies"
	onlyCopies       = "kongdao can create and delete only ConfigMaps with the prefix kongdao-copy-"
)

// TestOnlyKongdaoCreatesCopies proves on a real release that kongdao, with the permissions from the chart, creates and
// deletes copies and no other ConfigMap. Others cannot create a copy, but they can delete one.
func TestOnlyKongdaoCreatesCopies(t *testing.T) {
	createNamespaces(t)
	runHelmOrFail(t, "install", release, chartDir, "--set", "crds.install=false",
		"--set", "controller.serviceAccount.name=copier")
	defer runHelmOrFail(t, "uninstall", release) // Not in t.Cleanup, because Helm runs with the context of the test.
	config := plane.Config()
	config.Impersonate.UserName = "system:serviceaccount:" + releaseNamespace + ":copier"
	kongdao, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	waitForCopyPolicy(t)

	generated := configMap("")
	generated.GenerateName = "kongdao-copy-"
	if err := wantDenial(admin.Create(t.Context(), generated), prefixIsReserved); err != nil {
		t.Errorf("an administrator creates a copy with a generated name: %v", err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := kongdao.Create(t.Context(), configMap("kongdao-copy-"+name)); err != nil {
			t.Errorf("kongdao creates a copy: %v", err)
		}
	}
	if err := kongdao.Delete(t.Context(), configMap("kongdao-copy-a")); err != nil {
		t.Errorf("kongdao deletes a copy: %v", err)
	}
	if err := wantDenial(kongdao.Create(t.Context(), configMap("own")), onlyCopies); err != nil {
		t.Errorf("kongdao creates another ConfigMap: %v", err)
	}
	if err := admin.Create(t.Context(), configMap("own")); err != nil {
		t.Errorf("an administrator creates another ConfigMap: %v", err)
	}
	if err := wantDenial(kongdao.Delete(t.Context(), configMap("own")), onlyCopies); err != nil {
		t.Errorf("kongdao deletes another ConfigMap: %v", err)
	}
	if err := admin.Delete(t.Context(), configMap("kongdao-copy-b")); err != nil {
		t.Errorf("an administrator deletes a copy: %v", err)
	}
	// The namespace controller deletes ConfigMaps like this at the end of a namespace.
	if err := admin.DeleteAllOf(t.Context(), configMap(""), client.InNamespace("kong")); err != nil {
		t.Errorf("an administrator deletes all ConfigMaps: %v", err)
	}
	last := configMap("kongdao-copy-c")
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(last), last); !apierrors.IsNotFound(err) {
		t.Errorf("get the last copy: got %v, want not found", err)
	}
	checkExpressionTypes(t)
}

// waitForCopyPolicy waits until the API server enforces the ValidatingAdmissionPolicy.
func waitForCopyPolicy(t *testing.T) {
	t.Helper()
	wait.For(t, 30*time.Second, func(ctx context.Context) error {
		return wantDenial(admin.Create(ctx, configMap("kongdao-copy-a"), client.DryRunAll), prefixIsReserved)
	})
}

// checkExpressionTypes proves that the API server's type checker has no warnings about the expressions.
func checkExpressionTypes(t *testing.T) {
	t.Helper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	wait.For(t, 30*time.Second, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKey{Name: "kongdao-copies"}, policy); err != nil {
			return err
		}
		if policy.Status.TypeChecking == nil {
			return errors.New("the API server has not checked the types yet")
		}
		return nil
	})
	if warnings := policy.Status.TypeChecking.ExpressionWarnings; len(warnings) > 0 {
		t.Errorf("the type checker warns about the expressions: %v", warnings)
	}
}

// configMap returns an empty ConfigMap in the namespace kong.
func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name}}
}

// wantDenial returns nil if err is a denial with the message, and an error otherwise.
func wantDenial(err error, message string) error {
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), message) {
		return fmt.Errorf("got %w, want a denial with %q", err, message)
	}
	return nil
}
