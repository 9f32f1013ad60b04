package installation

import (
	"fmt"
	"os"
	"path/filepath"

	"kongdao.io/kongdao/test/controlplane"
)

// WriteCertificate writes a new serving certificate, signed by the CA of the control plane. It does this as the kubelet
// updates the volume of a Secret: the files are symbolic links into a directory, and the directory is replaced as a
// whole. So a reader never finds a certificate with the key of another one.
func (w *Webhook) WriteCertificate(plane *controlplane.ControlPlane) error {
	certificate, key, err := plane.ServingCertificate()
	if err != nil {
		return err
	}
	if err := replaceFiles(w.Dir, map[string][]byte{"tls.crt": certificate, "tls.key": key}); err != nil {
		return fmt.Errorf("write the serving certificate: %w", err)
	}
	return nil
}

// replaceFiles replaces files in dir atomically. The link ..data points to the directory with the current files.
func replaceFiles(dir string, files map[string][]byte) error {
	newDir, err := os.MkdirTemp(dir, "..version-")
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(newDir, name), content, 0o600); err != nil {
			return err
		}
	}
	current := filepath.Join(dir, "..data")
	oldDir, oldErr := os.Readlink(current)
	if err := os.Symlink(filepath.Base(newDir), current+"-new"); err != nil {
		return err
	}
	if err := os.Rename(current+"-new", current); err != nil {
		return err
	}
	if oldErr == nil {
		return os.RemoveAll(filepath.Join(dir, oldDir))
	}
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
