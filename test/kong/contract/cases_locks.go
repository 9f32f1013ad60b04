package contract

import "time"

const countRuns = "select count(*) from runs"

// slowMigration is the name of a migration that takes some seconds.
const slowMigration = "001_slow"

// withSlowMigration returns the plugin with a migration that takes this number of seconds. It records its runs.
func (f Files) withSlowMigration(seconds string) Files {
	return f.withMigrationList(baseMigration, slowMigration).withMigration(slowMigration, upMigration(`
      INSERT INTO "runs" VALUES (1);
      DO $$ BEGIN PERFORM pg_sleep(`+seconds+`); END $$;`))
}

// prepareRuns creates the table where slow migrations record their runs.
func prepareRuns(files Files) []step {
	return []step{
		kong("migrations bootstrap").withFiles(files.withMigrationList(baseMigration)),
		sql("create table runs (n int); "+countRuns, "CREATE TABLE\n0"),
	}
}

// waitForLock waits until a command has locked the migrations.
func waitForLock() step {
	return sql("select count(*) from locks where key = 'migrations'", "1").within(10 * time.Second)
}

// waitForSlowMigration waits until a slow migration runs.
func waitForSlowMigration() step {
	return sql("select count(*) from pg_stat_activity "+
		"where state = 'active' and query like '%pg_sleep(%' and pid <> pg_backend_pid()", "1").within(20 * time.Second)
}

// lockCases run several commands that migrate, or kill them.
func lockCases(files Files) []testCase {
	return []testCase{
		{
			name:   "files that Kong does not see",
			reason: "if Kong does not see the plugin's files, up exits 0 and does nothing (fact K10)",
			steps: []step{
				kong("migrations bootstrap").withFiles(files).withPlugins(bundledOnly),
				kong("migrations up").withFiles(Files{}).withPlugins(withPlugin).prints(upToDate).omits("dao-test"),
				kong("migrations list").omits("dao-test"),
				kong("migrations list").withFiles(files).exits(5),
			},
		},
		heldLockCase(files), failingHolderCase(files), killedHolderCase(files),
		shortLeaseCase(files), databaseTimeoutCase(files), interruptedBootstrapCase(),
	}
}

func heldLockCase(files Files) testCase {
	return testCase{
		name: "lock of another command",
		reason: "up exits 0 and does nothing if another command has the lock (fact K10), " +
			"and fails if the lock timeout ends first (fact K28)",
		steps: append(prepareRuns(files),
			kong("migrations up --db-timeout 60 --lock-timeout 60").withFiles(files.withSlowMigration("12")).
				inBackground("up"),
			waitForLock(),
			kong("migrations up --db-timeout 60 --lock-timeout 1").exits(1).prints("Error: [PostgreSQL error] timeout"),
			kong("migrations finish").prints(otherNode),
			kong("migrations up --db-timeout 60 --lock-timeout 60").prints(otherNode),
			waitFor("up").prints(executed(slowMigration)),
			sql(countRuns, "1"),
			kong("migrations list"),
		),
	}
}

func failingHolderCase(files Files) testCase {
	failing := files.withMigrationList(baseMigration, slowMigration).
		withMigration(slowMigration, upMigration("SELECT pg_sleep(8); SELECT 1/0;"))
	return testCase{
		name:   "failure of the command with the lock",
		reason: "up exits 0 if another command has the lock, even if the other one then fails (fact K10)",
		steps: append(prepareRuns(files),
			kong("migrations up --db-timeout 60 --lock-timeout 60").withFiles(failing).inBackground("up"),
			waitForLock(),
			kong("migrations up --db-timeout 60 --lock-timeout 60").prints(otherNode),
			waitFor("up").exits(1).prints("Error: [PostgreSQL error] cluster_mutex callback threw an error: ",
				"division by zero", "stack traceback:"),
			kong("migrations list").exits(5),
		),
	}
}

func killedHolderCase(files Files) testCase {
	return testCase{
		name: "killed command with the lock",
		reason: "after a kill, the lock stays until its lease ends (fact K10), and " +
			"PostgreSQL commits the statement but Kong runs the migration again (fact K29)",
		steps: append(prepareRuns(files),
			kong("migrations up --db-timeout 60 --lock-timeout 7").withFiles(files.withSlowMigration("4")).
				inBackground("up"),
			waitForSlowMigration(),
			kill("up"),
			kong("migrations up --lock-timeout 60").prints(otherNode),
			sql(countRuns, "1").within(10*time.Second),
			kong("migrations list").exits(5).prints("dao-test: "+slowMigration),
			kong("migrations up --db-timeout 60 --lock-timeout 60").prints(executed(slowMigration)),
			sql(countRuns, "2"),
		),
	}
}

func shortLeaseCase(files Files) testCase {
	return testCase{
		name:   "lease that is too short",
		reason: "if the lease is shorter than the migration, a second up runs the migration, too (fact K28)",
		steps: append(prepareRuns(files),
			kong("migrations up --db-timeout 60 --lock-timeout 1").withFiles(files.withSlowMigration("8")).
				inBackground("up"),
			waitForLock(),
			pause(1500*time.Millisecond),
			kong("migrations up --db-timeout 60 --lock-timeout 60").prints(executed(slowMigration)),
			waitFor("up").prints(executed(slowMigration)),
			sql(countRuns, "2"),
		),
	}
}

func databaseTimeoutCase(files Files) testCase {
	return testCase{
		name:   "statement that exceeds the database timeout",
		reason: "a statement that exceeds --db-timeout fails the command, but PostgreSQL completes it (fact K14)",
		steps: append(prepareRuns(files),
			kong("migrations up --db-timeout 1").withFiles(files.withSlowMigration("3")).
				exits(1).prints("Error: ", "timeout"),
			sql(countRuns, "0"),
			sql(countRuns, "1").within(10*time.Second),
			kong("migrations list").exits(5),
			kong("migrations up").withFiles(files.withSlowMigration("6")).exits(1).prints("timeout"),
			kong("migrations up").withEnv(map[string]string{"KONG_PG_TIMEOUT": "20000"}).
				prints(executed(slowMigration)),
		),
	}
}

func interruptedBootstrapCase() testCase {
	// The name sorts before those of Kong's own subsystems, so Kong migrates this plugin first.
	const folder = "kong/plugins/1dao/"
	slow := Files{
		folder + "handler.lua": `return { PRIORITY = 1, VERSION = "1.0.0" }`,
		folder + "schema.lua": `return { name = "1dao", fields = {
  { config = { type = "record", fields = {} } },
} }`,
		folder + "migrations/init.lua":     migrationList("000_slow"),
		folder + "migrations/000_slow.lua": upMigration("SELECT pg_sleep(3)"),
	}
	return testCase{
		name:   "interrupted bootstrap",
		reason: "after an interrupted bootstrap, up leaves Kong's bundled migrations pending (fact K31)",
		steps: []step{
			kong("migrations bootstrap --db-timeout 60 --lock-timeout 3").withFiles(slow).
				withPlugins("bundled,1dao").inBackground("bootstrap"),
			waitForSlowMigration(),
			kill("bootstrap"),
			pause(3 * time.Second),
			kong("migrations list").exits(5).prints("000_slow"),
			kong("migrations up --db-timeout 60 --lock-timeout 60"),
			shell(`kong migrations list | sed -n '/^Pending/,/^$/p' | grep -c :.*_`).prints("12\n"),
			kong("migrations list").exits(4).prints("response-ratelimiting: 001_350_to_360"),
			kong("migrations finish"),
			kong("migrations list"),
		},
	}
}
