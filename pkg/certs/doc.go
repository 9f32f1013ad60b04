// Package certs provides the webhook's serving certificate, and the CA bundle with which API servers verify it.
//
// There are three providers:
//   - NewFileProvider serves a certificate from two files that another program maintains.
//   - NewSelfSignedProvider signs with its own CA. All replicas share the key pairs in a Secret.
//   - NewCertManagerProvider requests the certificate from cert-manager.
//
// The last two also write the CA bundle into the webhook configurations.
//
// The self-signed provider rotates its CA in three steps:
//  1. A new CA joins the bundle.
//  2. After the propagation delay, the new CA signs a new serving certificate.
//  3. After the overlap, the old CA leaves the bundle.
//
// Between these steps, every replica serves a certificate that every API server trusts. planRotation decides about the
// steps. It is a pure function: the time, and how long the CA has been published, are its arguments.
//
// The module open-policy-agent/cert-controller does not fit. It replaces the CA and the certificate in one step, and
// its bundle has one CA only. It also serves from mounted files, and the kubelet updates these up to a minute late
// (fact V2). Until then, the API server does not trust the old certificate and admissions fail.
package certs
