package certs

import (
	"context"
	"slices"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	applycm "github.com/cert-manager/cert-manager/pkg/client/applyconfigurations/certmanager/v1"
	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// shelf is as much of an API server as order asks for: what was applied, by
// kind and name, with the UID and the generation that it would have.
type shelf struct {
	client.Client
	objects map[string]metav1.ObjectMeta
	// applied are the kinds and names that were applied since it was last emptied.
	applied []string
}

func (s *shelf) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	kind := "Certificate"
	if _, issuer := object.(*certmanagerv1.Issuer); issuer {
		kind = "Issuer"
	}
	meta, there := s.objects[kind+" "+key.Name]
	if !there {
		return apierrors.NewNotFound(certmanagerv1.Resource(kind), key.Name)
	}
	object.SetUID(meta.UID)
	object.SetGeneration(meta.Generation)
	return nil
}

func (s *shelf) Apply(_ context.Context, object runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	var kind string
	var meta *applymetav1.ObjectMetaApplyConfiguration
	switch object := object.(type) {
	case *applycm.IssuerApplyConfiguration:
		kind, meta = "Issuer", object.ObjectMetaApplyConfiguration
	case *applycm.CertificateApplyConfiguration:
		kind, meta = "Certificate", object.ObjectMetaApplyConfiguration
	}
	place := kind + " " + *meta.Name
	kept, there := s.objects[place]
	if !there {
		kept.UID = types.UID(place + time.Now().String())
	}
	kept.Generation++
	s.objects[place], s.applied = kept, append(s.applied, place)
	meta.UID, meta.Generation = &kept.UID, &kept.Generation
	return nil
}

// TestOrder proves that cert-manager is asked once for what is there as it was
// asked for, and again for just what somebody has changed or deleted.
func TestOrder(t *testing.T) {
	all := []string{"Issuer certificate-root", "Certificate certificate-ca", "Issuer certificate-ca", "Certificate certificate"}
	for name, test := range map[string]struct {
		issuer IssuerRef
		spoil  func(*shelf)
		want   []string
	}{
		"nothing changed":     {spoil: func(*shelf) {}},
		"one was changed":     {spoil: func(s *shelf) { s.change("Issuer certificate-ca") }, want: all[2:3]},
		"one was deleted":     {spoil: func(s *shelf) { delete(s.objects, "Certificate certificate") }, want: all[3:]},
		"one was made anew":   {spoil: func(s *shelf) { s.objects[all[0]] = metav1.ObjectMeta{UID: "another", Generation: 1} }, want: all[:1]},
		"all were deleted":    {spoil: func(s *shelf) { clear(s.objects) }, want: all},
		"an issuer was there": {issuer: IssuerRef{"ClusterIssuer", "corporate"}, spoil: func(s *shelf) { s.change("Certificate certificate") }, want: all[3:]},
	} {
		t.Run(name, func(t *testing.T) {
			server := &shelf{objects: map[string]metav1.ObjectMeta{}}
			provider := &CertManager{
				Base:     &Base{Secret: client.ObjectKey{Namespace: "kongdao-system", Name: "certificate"}, Log: logr.Discard(), client: server, live: server},
				Settings: Settings{Names: []string{"a.b.svc"}, CALifetime: time.Hour, Lifetime: time.Hour}, Issuer: test.issuer,
			}
			order := func() []string {
				server.applied = nil
				if err := provider.order(t.Context()); err != nil {
					t.Fatal(err)
				}
				return server.applied
			}
			first := all
			if test.issuer.Name != "" {
				first = all[3:]
			}
			if diff := cmp.Diff(first, order()); diff != "" {
				t.Errorf("at the start (-want +got)\n%s", diff)
			}
			test.spoil(server)
			if got := order(); !slices.Equal(got, test.want) {
				t.Errorf("asked for %q, want %q", got, test.want)
			}
			if got := order(); len(got) > 0 {
				t.Errorf("then asked again for %q", got)
			}
		})
	}
}

// change is what somebody does who edits a spec.
func (s *shelf) change(place string) {
	meta := s.objects[place]
	meta.Generation++
	s.objects[place] = meta
}
