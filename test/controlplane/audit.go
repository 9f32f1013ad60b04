package controlplane

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// AuditEntry is what tests look at of an entry of the audit log: a part of
// audit.k8s.io/v1's Event.
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

// Audit yields what the API server has written down until now of what Options.AuditPolicy told it to.
func (c *ControlPlane) Audit() ([]AuditEntry, error) {
	file, err := os.Open(c.auditLog())
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer file.Close()
	var entries []AuditEntry
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var entry AuditEntry
		// The last line may still be being written.
		if json.Unmarshal(lines.Bytes(), &entry) == nil {
			entries = append(entries, entry)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return entries, nil
}
