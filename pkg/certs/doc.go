// Package certs owns the certificate that the webhook serves and the CA bundle
// by which the API server knows it.
//
//	Secret --ParseSecret--> Material --Plan--> Material --> Secret
//	Material --> Keeper, which serves its certificate
//	Material --Bundle--> caBundle of the MutatingWebhookConfiguration
//
// Plan is pure: it is told the time, and how long the API server has known the
// newest CA. A rotation goes in three steps, between which every replica serves
// a certificate that every API server trusts: a new CA joins the bundle; when
// that has been known for a while, it signs what is served; when that has been
// served for a while, the old CA leaves the bundle.
//
// open-policy-agent/cert-controller would not do: it replaces the CA and the
// certificate in one step, puts one CA into the bundle, and serves from files
// that the kubelet brings up to a minute later (fact V2). Until then the API
// server trusts what nobody serves, and admissions fail.
package certs
