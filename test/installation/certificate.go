package installation

import (
	"fmt"
	"os"
	"path/filepath"

	"kongdao.io/kongdao/test/controlplane"
)

// WriteCertificate writes a new serving certificate of the control plane's CA,
// in the way that the kubelet writes a Secret into its volume: the files are
// links into a folder that is exchanged as a whole, so nobody finds a
// certificate with the key of another.
func (w *Webhook) WriteCertificate(plane *controlplane.ControlPlane) error {
	certificate, key, err := plane.ServingCertificate()
	if err != nil {
		return err
	}
	if err := w.exchange(map[string][]byte{"tls.crt": certificate, "tls.key": key}); err != nil {
		return fmt.Errorf("write the serving certificate: %w", err)
	}
	return nil
}

func (w *Webhook) exchange(files map[string][]byte) error {
	folder, err := os.MkdirTemp(w.Dir, "..version-")
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	current := filepath.Join(w.Dir, "..data")
	before, beforeErr := os.Readlink(current)
	if err := os.Symlink(filepath.Base(folder), current+"-new"); err != nil {
		return err
	}
	if err := os.Rename(current+"-new", current); err != nil {
		return err
	}
	if beforeErr == nil {
		return os.RemoveAll(filepath.Join(w.Dir, before))
	}
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(w.Dir, name)); err != nil {
			return err
		}
	}
	return nil
}
