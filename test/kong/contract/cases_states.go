package contract

// insertRow is a statement that inserts a row into the plugin's table. It returns insertedRow.
const (
	insertRow   = "insert into my_plugin_table (id, mykey) values (gen_random_uuid(), 'row') returning 1"
	insertedRow = "1\nINSERT 0 1"
)

// stateCases run each subcommand of "kong migrations" in each state of the database.
func stateCases(files Files) []testCase {
	return []testCase{
		emptyCase(files), newCase(files), pendingCase(files), pendingAndNewCase(files),
		upToDateCase(files), unreachableCase(files), forceCase(files),
	}
}

// reachNew makes the plugin's migrations new: Kong knows them and has not run them.
func reachNew(files Files) []step {
	return []step{
		kong("migrations bootstrap").withFiles(files).withPlugins(bundledOnly),
		kong("migrations list").withPlugins(withPlugin).exits(5),
	}
}

// reachPending makes a migration of the plugin pending.
func reachPending(files Files) []step {
	return append(reachNew(files), kong("migrations up").prints(pending(phaseMigration)))
}

func emptyCase(files Files) testCase {
	cannotRun := "Error: Cannot run migrations: " + needsBootstrap
	return testCase{
		name:   "empty database",
		reason: "on an empty database, only bootstrap succeeds, and it runs both phases (fact K13)",
		steps: []step{
			kong("migrations list").withFiles(files).exits(3).prints(needsBootstrap),
			kong("migrations status").prints(`"needs_bootstrap":true`),
			kong("migrations up").exits(1).prints(cannotRun),
			kong("migrations finish").exits(1).prints(cannotRun),
			kong("start").exits(1).prints("Error: " + needsBootstrap),
			kong("migrations bootstrap").prints("Bootstrapping database...",
				"dao-test migrated up to: "+executed(phaseMigration), "Database is up-to-date"),
			kong("migrations list").printsFile(listWhenUpToDate),
			sql("select executed, pending from schema_meta where subsystem = 'dao-test'",
				"{"+baseMigration+","+phaseMigration+"}|{}"),
		},
	}
}

func newCase(files Files) testCase {
	return testCase{
		name: "new migrations",
		reason: "list exits 5 for new migrations and shows them by subsystem (fact K27), " +
			"and bootstrap does not run them (fact K13)",
		steps: append(reachNew(files),
			kong("migrations list").exits(5).printsFile("new.list.txt").
				prints("New migrations available:\n"+allMigrations),
			kong("migrations status").printsFile("new.status.txt"),
			kong("migrations finish").prints(hasNew),
			kong("migrations bootstrap").prints(bootstrapped),
			kong("migrations list").exits(5),
			kong("start").exits(1).prints("Error: ", hasNew),
			kong("migrations up").prints(executed(baseMigration), pending(phaseMigration),
				"2 migrations processed", "1 executed", "1 pending", hasPending+" when ready"),
		),
	}
}

func pendingCase(files Files) testCase {
	return testCase{
		name: "pending migrations",
		reason: "a migration with a teardown is pending after up, and up fails until finish has run (fact K11); " +
			"meanwhile, old nodes work (fact K12)",
		steps: append(reachPending(files),
			kong("migrations list").exits(4).printsFile("pending.list.txt").
				prints("Pending migrations:\ndao-test: "+phaseMigration),
			kong("migrations status").printsFile("pending.status.txt"),
			kong("migrations up").exits(1).prints("Error: "+hasPending),
			kong("start").prints("pending migrations"),
			sql(insertRow, insertedRow),
			kong("migrations finish").prints(executed(phaseMigration), nothingPending),
			sql("select origin from my_plugin_table", "before 1.1.0"),
			kong("quit"),
			kong("migrations list").printsFile(listWhenUpToDate),
		),
	}
}

func pendingAndNewCase(files Files) testCase {
	return testCase{
		name:   "pending and new migrations",
		reason: "while migrations are pending, up fails although there are new ones (fact K11)",
		steps: append(reachPending(files),
			kong("migrations list").withFiles(nextRelease(files)).exits(4).printsFile("pendingnew.list.txt").
				prints("Database has pending migrations from a previous upgrade, and new migrations from this upgrade"),
			kong("migrations status").printsFile("pendingnew.status.txt"),
			kong("migrations up").exits(1).prints("Error: "+hasPending),
			kong("migrations finish").prints(hasNew),
			kong("migrations list").exits(5),
			kong("migrations up").prints(executed(nextMigration)),
			kong("migrations list"),
		),
	}
}

// nextRelease returns the plugin with a third migration.
func nextRelease(files Files) Files {
	return files.withMigrationList(baseMigration, phaseMigration, nextMigration).
		withMigration(nextMigration, upMigration(`ALTER TABLE "my_plugin_table" ADD COLUMN IF NOT EXISTS "more" TEXT`))
}

func upToDateCase(files Files) testCase {
	return testCase{
		name:   "up-to-date database",
		reason: "if all migrations are executed, each subcommand exits 0 and does nothing",
		steps: []step{
			kong("migrations bootstrap").withFiles(files),
			kong("migrations list").printsFile(listWhenUpToDate).omits("New", "Pending"),
			kong("migrations status").printsFile("uptodate.status.txt"),
			kong("migrations up").prints(upToDate),
			kong("migrations finish").prints(nothingPending),
			kong("migrations bootstrap").prints(bootstrapped),
			kong("migrations list -q").prints("core"),
			kong("start").prints(started),
			kong("health"),
			get(200, statusPort, "/status/ready").prints("ready"),
			kong("quit"),
			kong("health").exits(1),
			kong("migrations reset").exits(1).prints("not a tty"),
			kong("migrations reset --yes").prints("Database successfully reset"),
			kong("migrations list").exits(3),
		},
	}
}

func unreachableCase(files Files) testCase {
	return testCase{
		name:   "unreachable database",
		reason: "list exits 1 and prints why PostgreSQL does not answer (fact K42)",
		steps: []step{
			kong("migrations list").withFiles(files).withEnv(map[string]string{"KONG_PG_PORT": "1"}).exits(1).
				prints("Error: [PostgreSQL error] " +
					"failed to retrieve PostgreSQL server_version_num: connection refused"),
			kong("migrations up").exits(1),
			kong("migrations status").exits(1),
			kong("start").exits(1).prints("Error: "),
			kong("migrations list").withEnv(map[string]string{"KONG_PG_PORT": "5432", "KONG_PG_PASSWORD": "wrong"}).
				exits(1).prints(wrongUser),
		},
	}
}

func forceCase(files Files) testCase {
	countRows := "select count(*) from my_plugin_table"
	return testCase{
		name:   "option -f",
		reason: "up -f runs all migrations again, and bootstrap -f deletes the database (fact K13)",
		steps: []step{
			kong("migrations bootstrap").withFiles(files),
			sql(insertRow, insertedRow),
			kong("migrations up -f").prints("dao-test migrated up to: " + baseMigration),
			sql(countRows, "1"),
			kong("migrations bootstrap -f").prints("Resetting database...", "Database is up-to-date"),
			sql(countRows, "0"),
		},
	}
}
