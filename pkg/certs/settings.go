package certs

import "time"

// Settings describe the certificates to create.
type Settings struct {
	// DNSNames are the names that API servers use to call the webhook.
	DNSNames []string
	// CALifetime is the validity of a CA, and Lifetime that of a serving certificate. Each is renewed when a third of
	// it is left.
	CALifetime, Lifetime time.Duration
}

// propagationDelay is how long a CA must be published before a certificate of this CA is served. There may be several
// API servers, and each one learns of a new bundle by a watch.
func (s Settings) propagationDelay() time.Duration { return min(s.Lifetime/30, time.Minute) }

// overlap is how long the previous CA stays in the bundle after the new CA has signed the serving certificate. Replicas
// learn of the new certificate by a watch, and one of them may be disconnected for some time.
func (s Settings) overlap() time.Duration { return min(s.Lifetime/10, time.Hour) }
