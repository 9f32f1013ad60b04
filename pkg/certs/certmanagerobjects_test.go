package certs

import (
	"context"
	"slices"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	applycm "github.com/cert-manager/cert-manager/pkg/client/applyconfigurations/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fakeAPIServer implements what ensureCertificate uses of an API server. Its keys are "KIND NAME".
type fakeAPIServer struct {
	client.Client
	objects map[string]metav1.ObjectMeta
	// applied are the keys of the applied objects, in order.
	applied []string
}

func (s *fakeAPIServer) Get(
	_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption,
) error {
	kind := certmanagerv1.CertificateKind
	if _, issuer := object.(*certmanagerv1.Issuer); issuer {
		kind = certmanagerv1.IssuerKind
	}
	metadata, exists := s.objects[kind+" "+key.Name]
	if !exists {
		return apierrors.NewNotFound(certmanagerv1.Resource(kind), key.Name)
	}
	object.SetUID(metadata.UID)
	object.SetGeneration(metadata.Generation)
	return nil
}

func (s *fakeAPIServer) Apply(_ context.Context, object runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	var kind string
	var metadata *applymetav1.ObjectMetaApplyConfiguration
	switch object := object.(type) {
	case *applycm.IssuerApplyConfiguration:
		kind, metadata = certmanagerv1.IssuerKind, object.ObjectMetaApplyConfiguration
	case *applycm.CertificateApplyConfiguration:
		kind, metadata = certmanagerv1.CertificateKind, object.ObjectMetaApplyConfiguration
	}
	key := kind + " " + *metadata.Name
	stored, exists := s.objects[key]
	if !exists {
		stored.UID = types.UID(key + time.Now().String())
	}
	stored.Generation++
	s.objects[key], s.applied = stored, append(s.applied, key)
	metadata.UID, metadata.Generation = &stored.UID, &stored.Generation
	return nil
}

// edit simulates a user who changes an object's spec.
func (s *fakeAPIServer) edit(key string) {
	metadata := s.objects[key]
	metadata.Generation++
	s.objects[key] = metadata
}

// TestEnsureCertificateAppliesOnlyWhatChanged proves that each object is applied once, and again only after it was
// changed or deleted.
func TestEnsureCertificateAppliesOnlyWhatChanged(t *testing.T) {
	all := []string{
		"Issuer certificate-root", "Certificate certificate-ca", "Issuer certificate-ca", "Certificate certificate",
	}
	for name, test := range map[string]struct {
		issuer IssuerRef
		change func(*fakeAPIServer)
		want   []string
	}{
		"no change":   {change: func(*fakeAPIServer) {}},
		"one edited":  {change: func(s *fakeAPIServer) { s.edit("Issuer certificate-ca") }, want: all[2:3]},
		"one deleted": {change: func(s *fakeAPIServer) { delete(s.objects, "Certificate certificate") }, want: all[3:]},
		"one recreated": {
			change: func(s *fakeAPIServer) { s.objects[all[0]] = metav1.ObjectMeta{UID: "another", Generation: 1} },
			want:   all[:1],
		},
		"all deleted": {change: func(s *fakeAPIServer) { clear(s.objects) }, want: all},
		"existing issuer": {
			issuer: IssuerRef{certmanagerv1.ClusterIssuerKind, "corporate"},
			change: func(s *fakeAPIServer) { s.edit("Certificate certificate") },
			want:   all[3:],
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := &fakeAPIServer{objects: map[string]metav1.ObjectMeta{}}
			provider := &certManagerProvider{
				secretProvider: newSecretProvider(Config{
					Settings: Settings{DNSNames: []string{"a.b.svc"}, CALifetime: time.Hour, Lifetime: time.Hour},
					Secret:   client.ObjectKey{Namespace: "kongdao-system", Name: "certificate"},
				}),
				issuer: test.issuer,
			}
			provider.client, provider.apiReader = server, server
			applied := func() []string {
				server.applied = nil
				if err := provider.ensureCertificate(t.Context()); err != nil {
					t.Fatal(err)
				}
				return server.applied
			}
			initial := all
			if test.issuer.Name != "" {
				initial = all[3:]
			}
			if diff := cmp.Diff(initial, applied()); diff != "" {
				t.Errorf("applied at the start (-want +got)\n%s", diff)
			}
			test.change(server)
			if got := applied(); !slices.Equal(got, test.want) {
				t.Errorf("applied %q after the change, want %q", got, test.want)
			}
			if got := applied(); len(got) > 0 {
				t.Errorf("applied %q again without a change", got)
			}
		})
	}
}
