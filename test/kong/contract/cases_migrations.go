package contract

// migrationCases change the plugin's migrations.
func migrationCases(files Files) []testCase {
	return []testCase{
		{
			name:   "edited migration",
			reason: "Kong compares migrations by name and never runs an edited one again (fact K9)",
			steps: []step{
				kong("migrations bootstrap").withFiles(files),
				kong("migrations list").printsFile(listWhenUpToDate).
					withFiles(files.withMigration(baseMigration, upMigration("CREATE TABLE never (n INT)"))),
				kong("migrations up").prints(upToDate),
				sql("select to_regclass('never') is null", "t"),
			},
		},
		{
			name:   "migration before executed ones",
			reason: "Kong runs a new migration that the list has before executed ones (fact K2)",
			steps: []step{
				kong("migrations bootstrap").withFiles(files),
				kong("migrations list").exits(5).prints("New migrations available:\ndao-test: late\n").
					withFiles(files.withMigrationList("late", baseMigration, phaseMigration).
						withMigration("late", upMigration("CREATE TABLE late (n INT)"))),
				kong("migrations up").prints("dao-test migrated up to: " + executed("late")),
				sql("select to_regclass('late') is null", "f"),
			},
		},
		luaMigrationCase(files),
		failingMigrationCase(files),
		{
			name:   "older files",
			reason: "with files of an older release, list exits 0 and finish does nothing (fact K30)",
			steps: []step{
				kong("migrations bootstrap").withFiles(files).withPlugins(bundledOnly),
				kong("migrations up").withPlugins(withPlugin),
				kong("migrations list").withFiles(files.withMigrationList(baseMigration)).omits("Pending"),
				kong("migrations finish").prints(nothingPending),
				kong("migrations list").withFiles(files).exits(4),
				kong("migrations finish").prints(executed(phaseMigration)),
			},
		},
		{
			name:   "migrations of Kong itself",
			reason: "up runs all new migrations, also those of Kong's core, but not one that was executed last (fact K32)",
			steps: []step{
				kong("migrations bootstrap").withFiles(files).withPlugins(bundledOnly),
				sql("update schema_meta set executed = array_remove(executed, '024_380_to_390') "+
					"where subsystem = 'core' returning 1", "1\nUPDATE 1"),
				kong("migrations list").omits("024_380_to_390"),
				sql("update schema_meta set last_executed = '023_360_to_370' where subsystem = 'core' returning 1",
					"1\nUPDATE 1"),
				kong("migrations list").withPlugins(withPlugin).exits(5).
					prints("    core: 024_380_to_390\ndao-test: " + baseMigration),
				kong("migrations up").
					prints("core migrated up to: "+executed("024_380_to_390"), executed(baseMigration)),
			},
		},
	}
}

func luaMigrationCase(files Files) testCase {
	const upFunction = `return { postgres = { up_f = function(connector)
  assert(connector:query("CREATE TABLE in_lua (n INT)"))
end } }`
	return testCase{
		name: "migrations in Lua",
		reason: "a migration needs at least one of up, up_f and teardown (fact K3), " +
			"and the list determines the order (fact K2)",
		steps: []step{
			kong("migrations bootstrap").withPlugins(bundledOnly).
				withFiles(files.withMigrationList("in_lua", "later").
					withMigration("in_lua", upFunction).
					withMigration("later", teardownMigration("INSERT INTO in_lua VALUES (7)"))),
			kong("migrations up").withPlugins(withPlugin).prints(executed("in_lua"), pending("later")),
			sql("select count(*) from in_lua", "0"),
			kong("migrations finish").prints(executed("later")),
			sql("select n from in_lua", "7"),
			kong("migrations list").exits(1).prints("Error: ", "is invalid", "postgres.up_f").
				withFiles(files.withMigrationList("none").withMigration("none", "return { postgres = {} }")),
		},
	}
}

func failingMigrationCase(files Files) testCase {
	withLast := files.withMigrationList(baseMigration, "001_bad", "002_last").
		withMigration("002_last", upMigration("SELECT 1"))
	failing := withLast.withMigration("001_bad", upMigration("CREATE TABLE rolled_back (n INT); SELECT 1/0;"))
	fixed := withLast.withMigration("001_bad", upMigration("SELECT 1"))
	return testCase{
		name: "failing migration",
		reason: "if a migration fails, up exits 1, keeps the earlier migrations and rolls this one back; " +
			"up can run again (fact K17)",
		steps: []step{
			kong("migrations bootstrap").withFiles(files).withPlugins(bundledOnly),
			kong("migrations up").withFiles(failing).withPlugins(withPlugin).exits(1).
				prints(executed(baseMigration), "Error: ",
					"failed to run migration '001_bad' up: ERROR: division by zero"),
			sql("select executed from schema_meta where subsystem = 'dao-test'", "{"+baseMigration+"}"),
			sql("select to_regclass('rolled_back') is null", "t"),
			sql("select count(*) from locks", "0"),
			kong("migrations up").exits(1).omits(executed(baseMigration)),
			kong("migrations up").withFiles(fixed).prints(executed("002_last")),
			kong("migrations list"),
		},
	}
}
