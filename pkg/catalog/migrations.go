package catalog

import (
	"encoding/hex"
	"slices"
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
	list := r.migrationsList()
	if list == nil || list.list == nil {
		return nil
	}
	migrations := make([]Migration, 0, len(list.list.Names))
	for _, name := range list.list.Names {
		migration := Migration{Name: name}
		if file := r.migrationFile(name); file != nil {
			migration.Digest = "sha256:" + hex.EncodeToString(file.Digest[:])
		}
		migrations = append(migrations, migration)
	}
	return migrations
}

// migrationFile returns the file that Kong requires for a migration, or nil if there is none.
func (r *Release) migrationFile(name string) *File {
	if file := r.file(migrationPath(name) + LuaSuffix); file != nil {
		return file
	}
	return r.file(migrationPath(name) + "/" + initFile)
}

// migrationsDigest returns the digest over all files that the list can require, because migrations can share modules.
func (r *Release) migrationsDigest() string {
	if list := r.migrationsList(); list == nil || list.list.isEmpty() {
		return ""
	}
	return digestOf(slices.DeleteFunc(slices.Clone(r.Files), func(file File) bool {
		return !file.IsMigration() && file.Path != migrationsModule
	}))
}
