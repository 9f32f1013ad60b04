package mutate

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestVolumeName proves that volume names are DNS labels, and that two plugins never have the same volume. A plugin may
// be named like the volume of another one, or like the volume of its migrations.
func TestVolumeName(t *testing.T) {
	long := strings.Repeat("a", 43)
	names := []string{
		"dao-test", "dao_test", "DAO-TEST", "Dao-Test", "daotest",
		"dao-test-migrations", "dao_test-migrations", "dao_test_migrations",
		"migrations", "x-migrations", "x-migrations-migrations", "Migrations", "x", "X", "1", "migrations-migrations",
		"0123456789", "x-0123456789", "x-abcdef0123", "X-abcdef0123", "x-abcdef0123-migrations",
		long, long + "b", long[:42], long[:42] + "-b", long + strings.Repeat("b", 20), long + strings.Repeat("c", 20),
		strings.Repeat("a", 63), strings.Repeat("a_", 31) + "a", strings.Repeat("a-", 31) + "a",
		"a--b", "a-_b", "a__b", "a-" + strings.Repeat("-", 50) + "b",
	}
	for _, name := range slices.Clone(names) {
		if plugin := strings.TrimPrefix(volumeName(name), volumePrefix); !slices.Contains(names, plugin) {
			names = append(names, plugin)
		}
	}
	dnsLabel := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	owners := map[string]string{migrationsVolume: "the volume that immutable plugins share"}
	for _, name := range names {
		for _, volume := range []string{volumeName(name), volumeName(name) + "-migrations"} {
			if len(volume) > 63 || !dnsLabel.MatchString(volume) {
				t.Errorf("plugin %q has volume %q (length %d), which is not a DNS label", name, volume, len(volume))
			}
			if other, exists := owners[volume]; exists {
				t.Errorf("plugins %q and %q both have volume %q", other, name, volume)
			}
			owners[volume] = name
		}
	}
	if got := volumeName("dao-test"); got != "kongdao-dao-test" {
		t.Errorf("a valid name was changed to %q", got)
	}
}

// TestImageName proves that the name is the last path element, without tag and digest.
func TestImageName(t *testing.T) {
	for image, want := range map[string]string{
		"":                                    "",
		"kong":                                "kong",
		"kong:3.9":                            "kong",
		"kong@sha256:00":                      "kong",
		"kong:3.9@sha256:00":                  "kong",
		"kong/kong-gateway:3.10":              "kong-gateway",
		"r.example:5000/kong":                 "kong",
		"r.example:5000/a/b/kong:1@sha256:00": "kong",
		"kong/deck":                           "deck",
		"kong:5000/deck":                      "deck",
		"kong-foo:1":                          "kong-foo",
		"kong/":                               "",
	} {
		if got := imageName(image); got != want {
			t.Errorf("imageName(%q) = %q; want %q", image, got, want)
		}
	}
}

// TestEscapePointer proves the encoding of RFC 6901.
func TestEscapePointer(t *testing.T) {
	for name, want := range map[string]string{"a": "a", "a/b": "a~1b", "a~b": "a~0b", "~1": "~01", "/~/": "~1~0~1"} {
		if got := escapePointer(name); got != want {
			t.Errorf("escapePointer(%q) = %q; want %q", name, got, want)
		}
	}
}
