package chart

import (
	"context"
	"maps"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/certmanager"
)

type fields = map[string]any

// certManagerObject returns an object of cert-manager in the namespace of the release.
func certManagerObject(kind, name string, spec fields) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: fields{
		"apiVersion": "cert-manager.io/v1", "kind": kind, "spec": spec,
		"metadata": fields{"namespace": releaseNamespace, "name": name},
	}}
}

// TestCertificatePolicy proves on a real release what the webhook's account can request from cert-manager: the objects
// of pkg/certs, and no others.
func TestCertificatePolicy(t *testing.T) {
	createNamespaces(t)
	if err := certmanager.InstallCRDs(t.Context(), admin, os.Getenv(certmanager.AssetsVariable)); err != nil {
		t.Fatal(err)
	}
	runHelmOrFail(t, "install", release, chartDir, "--set", "certificates.provider=cert-manager",
		"--set", `extraArgs={--cert-names=kongdao.example.com\,b}`)
	defer runHelmOrFail(t, "uninstall", release) // Not in t.Cleanup, because Helm runs with the context of the test.
	checkPolicyTypes(t, "kongdao-webhook-certificates")
	webhook := accountClient(t, "kongdao-webhook")
	const own = "kongdao-webhook-certificate"
	const ca, root = own + "-ca", own + "-root"
	issuer := func(kind, name string) fields {
		return fields{"group": "cert-manager.io", "kind": kind, "name": name}
	}
	// certificate returns a certificate as kongdao requests it, with changed fields.
	certificate := func(changes fields) *unstructured.Unstructured {
		spec := fields{
			"secretName": own, "duration": "2160h", "renewBefore": "720h", "issuerRef": issuer("Issuer", ca),
			"privateKey": fields{"algorithm": "ECDSA", "size": int64(256), "rotationPolicy": "Always"},
			"dnsNames": []any{
				"kongdao-webhook.kongdao-system.svc", "kongdao-webhook.kongdao-system.svc.cluster.local", "kongdao.example.com",
				"b",
			},
			"usages": []any{"digital signature", "server auth"},
		}
		maps.Copy(spec, changes)
		return certManagerObject("Certificate", own, spec)
	}
	authority := func(kind, issuerName string) *unstructured.Unstructured {
		return certManagerObject("Certificate", ca, fields{
			"secretName": ca, "isCA": true, "commonName": "kongdao CA", "issuerRef": issuer(kind, issuerName),
		})
	}
	const onlyNames, onlyIssuer = "only for the names of its Service", "only from its issuer"
	const onlyOwn, onlyIssuers = "only its certificate", "only the issuers for its CA"
	selfSigned := fields{"selfSigned": fields{}}
	for name, test := range map[string]struct {
		object  *unstructured.Unstructured
		message string
	}{
		"the certificate":  {certificate(nil), ""},
		"the CA":           {authority("Issuer", root), ""},
		"the issuer":       {certManagerObject("Issuer", ca, fields{"ca": fields{"secretName": ca}}), ""},
		"the issuer of CA": {certManagerObject("Issuer", root, selfSigned), ""},
		"another name":     {certificate(fields{"dnsNames": []any{"bank.example.com"}}), onlyNames},
		"a wildcard":       {certificate(fields{"dnsNames": []any{"*.svc"}}), onlyNames},
		"a common name":    {certificate(fields{"commonName": "system:masters"}), onlyNames},
		"an address":       {certificate(fields{"ipAddresses": []any{"10.0.0.1"}}), onlyNames},
		"a CA":             {certificate(fields{"isCA": true}), onlyIssuer},
		"another issuer":   {certificate(fields{"issuerRef": issuer("ClusterIssuer", "company")}), onlyIssuer},
		"another Secret":   {certificate(fields{"secretName": "other"}), onlyOwn},
		"another object": {
			certManagerObject("Certificate", "other", fields{"secretName": "other", "issuerRef": issuer("Issuer", root)}),
			onlyOwn,
		},
		"a CA of others":  {authority("ClusterIssuer", root), "a CA only from its own issuer"},
		"an issuer":       {certManagerObject("Issuer", "other", selfSigned), onlyIssuers},
		"the Secrets' CA": {certManagerObject("Issuer", ca, fields{"ca": fields{"secretName": "company"}}), onlyIssuers},
		"a second issuer": {
			certManagerObject("Issuer", root, fields{"selfSigned": fields{}, "ca": fields{"secretName": "company"}}),
			onlyIssuers,
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantResult(t, test.message, func(ctx context.Context) error {
				desired := client.ApplyConfigurationFromUnstructured(test.object.DeepCopy())
				return webhook.Apply(ctx, desired, client.FieldOwner("kongdao-certificates"), client.ForceOwnership)
			})
		})
	}
}
