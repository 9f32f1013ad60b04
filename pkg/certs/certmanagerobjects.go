package certs

import (
	"context"
	"fmt"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	applycm "github.com/cert-manager/cert-manager/pkg/client/applyconfigurations/certmanager/v1"
	applymeta "github.com/cert-manager/cert-manager/pkg/client/applyconfigurations/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The objects of a generated CA have the name of the Secret with a suffix.
const (
	rootSuffix = "-root" // the Issuer that signs the CA
	caSuffix   = "-ca"   // the CA's Certificate and Secret, and the Issuer that uses this CA
)

// ensureCertificate applies the Certificate, and the objects of a CA if no issuer is configured. It skips objects that
// have not changed since it applied them.
func (p *certManagerProvider) ensureCertificate(ctx context.Context) error {
	issuer := p.issuer
	if issuer.Name == "" {
		issuer = IssuerRef{certmanagerv1.IssuerKind, p.Secret.Name + caSuffix}
		if err := p.ensureIssuer(ctx, issuer.Name); err != nil {
			return err
		}
	}
	return p.applyCertificate(ctx, p.Secret.Name, p.certificateSpec(p.Secret.Name, issuer, p.Lifetime).
		WithDNSNames(p.DNSNames...).WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageServerAuth))
}

// ensureIssuer applies an Issuer with a CA. The CA has the same name as the Issuer.
func (p *certManagerProvider) ensureIssuer(ctx context.Context, name string) error {
	root := IssuerRef{certmanagerv1.IssuerKind, p.Secret.Name + rootSuffix}
	selfSigned := applycm.IssuerSpec().WithSelfSigned(applycm.SelfSignedIssuer())
	if err := p.applyIssuer(ctx, root.Name, selfSigned); err != nil {
		return err
	}
	ca := p.certificateSpec(name, root, p.CALifetime).WithIsCA(true).WithCommonName("kongdao CA")
	if err := p.applyCertificate(ctx, name, ca); err != nil {
		return err
	}
	return p.applyIssuer(ctx, name, applycm.IssuerSpec().WithCA(applycm.CAIssuer().WithSecretName(name)))
}

// certificateSpec returns the part of a spec that all certificates have: each certificate gets a new key, and is
// renewed when a third of its lifetime is left.
func (p *certManagerProvider) certificateSpec(
	secret string, issuer IssuerRef, lifetime time.Duration,
) *applycm.CertificateSpecApplyConfiguration {
	return applycm.CertificateSpec().WithSecretName(secret).
		WithDuration(metav1.Duration{Duration: lifetime}).WithRenewBefore(metav1.Duration{Duration: lifetime / 3}).
		WithPrivateKey(applycm.CertificatePrivateKey().WithAlgorithm(certmanagerv1.ECDSAKeyAlgorithm).WithSize(256).
			WithRotationPolicy(certmanagerv1.RotationPolicyAlways)).
		WithIssuerRef(applymeta.IssuerReference().WithGroup(certmanagerv1.SchemeGroupVersion.Group).
			WithKind(issuer.Kind).WithName(issuer.Name))
}

func (p *certManagerProvider) applyIssuer(
	ctx context.Context, name string, spec *applycm.IssuerSpecApplyConfiguration,
) error {
	issuer := applycm.Issuer(name, p.Secret.Namespace).WithSpec(spec)
	return p.applyIfChanged(ctx, objectID{certmanagerv1.IssuerKind, name}, &certmanagerv1.Issuer{},
		issuer, issuer.ObjectMetaApplyConfiguration)
}

func (p *certManagerProvider) applyCertificate(
	ctx context.Context, name string, spec *applycm.CertificateSpecApplyConfiguration,
) error {
	certificate := applycm.Certificate(name, p.Secret.Namespace).WithSpec(spec)
	return p.applyIfChanged(ctx, objectID{certmanagerv1.CertificateKind, name}, &certmanagerv1.Certificate{},
		certificate, certificate.ObjectMetaApplyConfiguration)
}

// objectID identifies an object in the webhook's namespace.
type objectID struct{ kind, name string }

// objectVersion is the version of an object's spec. A new generation means that the spec has changed, and a new UID
// that the object was created again.
type objectVersion struct {
	uid        types.UID
	generation int64
}

// applyIfChanged applies the desired object, unless the object is as this process last applied it. The parameter object
// is an empty object of the same kind. The parameter metadata is the desired object's metadata, and has the API
// server's response after the call.
func (p *certManagerProvider) applyIfChanged(
	ctx context.Context, id objectID, object client.Object,
	desired runtime.ApplyConfiguration, metadata *applymetav1.ObjectMetaApplyConfiguration,
) error {
	key := client.ObjectKey{Namespace: p.Secret.Namespace, Name: id.name}
	if err := p.apiReader.Get(ctx, key, object); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read %s %q: %w", id.kind, key, err)
	}
	current := objectVersion{object.GetUID(), object.GetGeneration()}
	if applied, known := p.applied[id]; known && applied == current {
		return nil
	}
	if err := p.client.Apply(ctx, desired, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s %q: %w", id.kind, key, err)
	}
	if p.applied == nil {
		p.applied = map[objectID]objectVersion{}
	}
	if metadata.UID != nil && metadata.Generation != nil {
		p.applied[id] = objectVersion{*metadata.UID, *metadata.Generation}
	}
	return nil
}
