package controlplane

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// AuditEntry has the fields of an Event of audit.k8s.io/v1 that tests use.
type AuditEntry struct {
	Verb        string            `json:"verb"`
	RequestURI  string            `json:"requestURI"`
	Annotations map[string]string `json:"annotations"`
	User        struct {
		Username string `json:"username"`
	} `json:"user"`
	Object struct {
		Resource    string `json:"resource"`
		Namespace   string `json:"namespace"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
}

// maxAuditEntryBytes limits the length of a line in the audit log.
const maxAuditEntryBytes = 4 << 20

func (c *ControlPlane) auditLog() string    { return filepath.Join(c.dir, "audit.log") }
func (c *ControlPlane) auditPolicy() string { return filepath.Join(c.dir, "audit.yaml") }

func (c *ControlPlane) writeAuditPolicy() error {
	if c.options.AuditPolicy == "" {
		return nil
	}
	return os.WriteFile(c.auditPolicy(), []byte(c.options.AuditPolicy), 0o600)
}

func (c *ControlPlane) auditFlags() flags {
	if c.options.AuditPolicy == "" {
		return nil
	}
	return flags{"audit-policy-file": c.auditPolicy(), "audit-log-path": c.auditLog()}
}

// AuditEntries returns the current entries of the audit log. Options.AuditPolicy must be set.
func (c *ControlPlane) AuditEntries() ([]AuditEntry, error) {
	file, err := os.Open(c.auditLog())
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer file.Close()
	var entries []AuditEntry
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxAuditEntryBytes)
	for lines.Scan() {
		var entry AuditEntry
		if json.Unmarshal(lines.Bytes(), &entry) == nil { // the last line may be incomplete
			entries = append(entries, entry)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return entries, nil
}
