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

// The names of what is made beside the Certificate, behind the Secret's name.
const (
	suffixRoot = "-root" // the Issuer that signs the CA
	suffixCA   = "-ca"   // the CA's Certificate and Secret, and the Issuer of that CA
)

// order asks cert-manager for the certificate, and for a CA where no issuer is
// named. What is there as it was asked for is left alone.
func (c *CertManager) order(ctx context.Context) error {
	issuer := c.Issuer
	if issuer.Name == "" {
		issuer = IssuerRef{certmanagerv1.IssuerKind, c.key(suffixCA).Name}
		root, ca := c.key(suffixRoot), c.key(suffixCA)
		if err := c.askIssuer(ctx, root, applycm.IssuerSpec().WithSelfSigned(applycm.SelfSignedIssuer())); err != nil {
			return err
		}
		if err := c.askCertificate(ctx, ca, c.specOf(ca.Name, IssuerRef{certmanagerv1.IssuerKind, root.Name}, c.CALifetime).
			WithIsCA(true).WithCommonName("kongdao CA")); err != nil {
			return err
		}
		if err := c.askIssuer(ctx, ca, applycm.IssuerSpec().WithCA(applycm.CAIssuer().WithSecretName(ca.Name))); err != nil {
			return err
		}
	}
	return c.askCertificate(ctx, c.Secret, c.specOf(c.Secret.Name, issuer, c.Lifetime).
		WithDNSNames(c.Names...).WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageServerAuth))
}

func (c *CertManager) askIssuer(ctx context.Context, key client.ObjectKey, spec *applycm.IssuerSpecApplyConfiguration) error {
	asked := applycm.Issuer(key.Name, key.Namespace).WithSpec(spec)
	return c.ask(ctx, key, &certmanagerv1.Issuer{}, asked, asked.ObjectMetaApplyConfiguration)
}

func (c *CertManager) askCertificate(ctx context.Context, key client.ObjectKey, spec *applycm.CertificateSpecApplyConfiguration) error {
	asked := applycm.Certificate(key.Name, key.Namespace).WithSpec(spec)
	return c.ask(ctx, key, &certmanagerv1.Certificate{}, asked, asked.ObjectMetaApplyConfiguration)
}

// specOf is what the certificates have in common: a new key each time, and a
// third of the time left when they are renewed.
func (c *CertManager) specOf(secret string, issuer IssuerRef, lifetime time.Duration) *applycm.CertificateSpecApplyConfiguration {
	return applycm.CertificateSpec().WithSecretName(secret).
		WithDuration(metav1.Duration{Duration: lifetime}).WithRenewBefore(metav1.Duration{Duration: lifetime / 3}).
		WithPrivateKey(applycm.CertificatePrivateKey().WithAlgorithm(certmanagerv1.ECDSAKeyAlgorithm).WithSize(256).
			WithRotationPolicy(certmanagerv1.RotationPolicyAlways)).
		WithIssuerRef(applymeta.IssuerReference().WithGroup(certmanagerv1.SchemeGroupVersion.Group).WithKind(issuer.Kind).WithName(issuer.Name))
}

// asked is an object as it was when it had just been asked for: with another
// generation its spec is another, and with another UID it was made anew.
type asked struct {
	uid        types.UID
	generation int64
}

// ask applies what is wanted, unless the object is as this process applied it.
// answered is wanted's own metadata, into which the API server's answer goes.
func (c *CertManager) ask(ctx context.Context, key client.ObjectKey, object client.Object, wanted runtime.ApplyConfiguration, answered *applymetav1.ObjectMetaApplyConfiguration) error {
	if err := c.live.Get(ctx, key, object); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("look what cert-manager was asked for: %w", err)
	}
	place := fmt.Sprintf("%T %s", object, key)
	if before, known := c.asked[place]; known && before == (asked{object.GetUID(), object.GetGeneration()}) {
		return nil
	}
	if err := c.client.Apply(ctx, wanted, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("ask cert-manager for %q: %w", key, err)
	}
	if c.asked == nil {
		c.asked = map[string]asked{}
	}
	if answered.UID != nil && answered.Generation != nil {
		c.asked[place] = asked{*answered.UID, *answered.Generation}
	}
	return nil
}
