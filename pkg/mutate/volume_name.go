package mutate

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
)

// volumePrefix begins the names of the volumes that kongdao manages.
const volumePrefix = "kongdao-"

// migrationsVolume has the migrations of all plugins whose sources are immutable, in a directory per plugin.
const migrationsVolume = volumePrefix + annotations.MigrationsFolder

// isManaged reports whether kongdao manages a volume, and sets it to what the request needs.
func isManaged(volume string) bool { return strings.HasPrefix(volume, volumePrefix) }

// maxVolumeName limits the name of a plugin's volume, so that with "-migrations" it is still a DNS label.
const maxVolumeName = 63 - len("-"+annotations.MigrationsFolder)

// volumeName returns "kongdao-" and the plugin's name, if this is a valid name that no other plugin has. Otherwise it
// returns a valid name that ends with a hash. It also hashes names that look hashed, and names that end with
// "migrations", so that the names of two plugins are never equal.
func volumeName(plugin string) string {
	name := volumePrefix + plugin
	if len(name) <= maxVolumeName && isDNSLabel(plugin) && !endsWithHash(plugin) &&
		plugin != annotations.MigrationsFolder && !strings.HasSuffix(plugin, "-"+annotations.MigrationsFolder) {
		return name
	}
	sum := sha256.Sum256([]byte(plugin))
	valid := strings.ReplaceAll(strings.ToLower(plugin), "_", "-")
	valid = valid[:min(len(valid), maxVolumeName-len(volumePrefix)-1-hashLength)]
	return volumePrefix + strings.TrimRight(valid, "-") + "-" + hex.EncodeToString(sum[:])[:hashLength]
}

// hashLength is the number of hexadecimal digits in a name.
const hashLength = 10

func endsWithHash(plugin string) bool {
	dash := strings.LastIndexByte(plugin, '-')
	tail := plugin[dash+1:]
	return dash >= 0 && len(tail) == hashLength && strings.Trim(tail, "0123456789abcdef") == ""
}

// isDNSLabel reports whether a plugin name, which is a label value without dots, is also a DNS label.
func isDNSLabel(plugin string) bool {
	return !strings.Contains(plugin, "_") && strings.ToLower(plugin) == plugin
}
