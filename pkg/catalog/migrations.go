package catalog

import (
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
)

// Migration is one entry of the list of a plugin's migrations.
type Migration struct {
	// Name is how Kong lists it.
	Name string
	// Digest is that of the file: "sha256:" and 64 hexadecimal digits.
	Digest string
}

// Migrations yields the plugin's migrations in the order in which Kong runs
// them (K2). There are none where the plugin has none, and where only Lua could
// tell what the list lists.
func (r *Release) Migrations() []Migration {
	list := r.migrationsList()
	if list == nil || list.lists == nil {
		return nil
	}
	migrations := make([]Migration, 0, len(list.lists.Names))
	for _, name := range list.lists.Names {
		migration := Migration{Name: name}
		if file := r.migrationFile(name); file != nil {
			migration.Digest = "sha256:" + hex.EncodeToString(file.Digest[:])
		}
		migrations = append(migrations, migration)
	}
	return migrations
}

// migrationFile is the file that Kong requires for a migration, nil where there
// is none.
func (r *Release) migrationFile(name string) *File {
	wanted := path.Join(annotations.MigrationsFolder, strings.ReplaceAll(name, ".", "/"))
	if file := r.file(wanted + luaSuffix); file != nil {
		return file
	}
	return r.file(wanted + "/" + initFile)
}

// migrationsDigest is over everything that may be required from the list on:
// migrations may share modules of their own.
func (r *Release) migrationsDigest() string {
	if list := r.migrationsList(); list == nil || list.lists.isEmpty() {
		return ""
	}
	return digestOf(slices.DeleteFunc(slices.Clone(r.Files), func(file File) bool {
		return !file.IsMigration() && file.Path != migrationsModule
	}))
}
