package catalog

import (
	"encoding/hex"
	"slices"

	"kongdao.io/kongdao/pkg/checks"
)

// Migration is one entry in the list of a plugin's migrations.
type Migration struct {
	// Name is the name that Kong lists.
	Name string
	// Digest is the digest of the file: "sha256:" and 64 hexadecimal digits. It is "" if the file is missing.
	Digest string
}

// Migrations returns the plugin's migrations in the order in which Kong runs them, which is the order of the list
// (fact K2). It returns none if the plugin has none, or if only Lua can compute the list.
func (r *Release) Migrations() []Migration {
	file := r.migrationsList()
	if file == nil || file.summary.List() == nil {
		return nil
	}
	list := file.summary.List()
	migrations := make([]Migration, 0, len(list.Names))
	for _, name := range list.Names {
		migration := Migration{Name: name}
		if file := r.migrationFile(name); file != nil {
			migration.Digest = "sha256:" + hex.EncodeToString(file.Digest[:])
		}
		migrations = append(migrations, migration)
	}
	return migrations
}

// MigrationFile returns the file that Kong requires for a migration. It returns false if there is none.
func (r *Release) MigrationFile(name string) (File, bool) {
	file := r.migrationFile(name)
	if file == nil {
		return File{}, false
	}
	return *file, true
}

// migrationFile returns the file that Kong requires for a migration, or nil if there is none.
func (r *Release) migrationFile(name string) *File {
	if file := r.file(checks.MigrationPath(name) + checks.LuaSuffix); file != nil {
		return file
	}
	return r.file(checks.MigrationPath(name) + "/" + checks.InitFile)
}

// migrationsDigest returns the digest over all files that the list can require, because migrations can share modules.
func (r *Release) migrationsDigest() string {
	if list := r.migrationsList(); list == nil || list.summary.List().IsEmpty() {
		return ""
	}
	return digestOf(slices.DeleteFunc(slices.Clone(r.Files), func(file File) bool {
		return !file.IsMigration() && file.Path != checks.MigrationsModule
	}))
}
