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
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The names of what is made beside the Certificate, behind the Secret's name.
const (
	suffixRoot = "-root" // the Issuer that signs the CA
	suffixCA   = "-ca"   // the CA's Certificate and Secret, and the Issuer of that CA
)

// order asks cert-manager for the certificate, and for a CA where no issuer is
// named. Applied again, nothing changes.
func (c *CertManager) order(ctx context.Context) error {
	issuer := c.Issuer
	if issuer.Name == "" {
		issuer = IssuerRef{certmanagerv1.IssuerKind, c.key(suffixCA).Name}
		root, ca := c.key(suffixRoot), c.key(suffixCA)
		if err := c.apply(ctx, applycm.Issuer(root.Name, root.Namespace).
			WithSpec(applycm.IssuerSpec().WithSelfSigned(applycm.SelfSignedIssuer())), root); err != nil {
			return err
		}
		if err := c.apply(ctx, applycm.Certificate(ca.Name, ca.Namespace).
			WithSpec(c.specOf(ca.Name, IssuerRef{certmanagerv1.IssuerKind, root.Name}, c.CALifetime).
				WithIsCA(true).WithCommonName("kongdao CA")), ca); err != nil {
			return err
		}
		if err := c.apply(ctx, applycm.Issuer(ca.Name, ca.Namespace).
			WithSpec(applycm.IssuerSpec().WithCA(applycm.CAIssuer().WithSecretName(ca.Name))), ca); err != nil {
			return err
		}
	}
	return c.apply(ctx, applycm.Certificate(c.Secret.Name, c.Secret.Namespace).
		WithSpec(c.specOf(c.Secret.Name, issuer, c.Lifetime).
			WithDNSNames(c.Names...).WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageServerAuth)), c.Secret)
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

func (c *CertManager) apply(ctx context.Context, object runtime.ApplyConfiguration, key client.ObjectKey) error {
	if err := c.client.Apply(ctx, object, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("ask cert-manager for %q: %w", key, err)
	}
	return nil
}
