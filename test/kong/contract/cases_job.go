package contract

import (
	"maps"
	"slices"
)

// Exit codes of the script of a migration's Job.
const (
	jobDone               = 0
	jobBlocked            = 10 // by pending migrations
	jobDeadlineExceeded   = 11
	jobPluginNotListed    = 12
	jobMigrationFailed    = 13
	jobNeedsBootstrapping = 14
	jobStopped            = 15
	jobPluginNotLoadable  = 16
)

// jobTest runs the Job's script.
type jobTest struct {
	name   string
	before []step
	env    map[string]string
	exit   int
	output string
}

// jobCases run the Job's script in each state of the database.
func jobCases(files Files, script string) []testCase {
	var cases []testCase
	for _, test := range slices.Concat(jobStateTests(files), jobErrorTests(files), jobLockTests(files, script)) {
		run := shell(script).withEnv(test.env).exits(test.exit).prints(test.output)
		cases = append(cases, testCase{
			name: "job: " + test.name,
			reason: "the Job runs what is needed in this state, although up may do nothing (fact K10) " +
				"and fails while migrations are pending (fact K11)",
			steps: slices.Concat([]step{jobVariables(files)}, test.before, []step{run}),
		})
	}
	return cases
}

// jobVariables sets the variables of the script.
func jobVariables(files Files) step {
	return kong("version").withFiles(files).withEnv(map[string]string{
		"KONGDAO_EXPECT": allMigrations, "KONGDAO_STEP": "up", "KONGDAO_FINISH": "none", "KONGDAO_PENDING": "",
		"KONGDAO_DEADLINE": "60", "KONGDAO_WAIT": "60", "KONGDAO_TIMEOUT": "30", "KONGDAO_TRIES": "2",
		"KONG_PG_TIMEOUT": "3000",
	})
}

// jobStateTests run the script in each state of the migrations.
func jobStateTests(files Files) []jobTest {
	finishNamed := func(more map[string]string) map[string]string {
		env := map[string]string{"KONGDAO_FINISH": "named", "KONGDAO_PENDING": "dao-test: " + phaseMigration}
		maps.Copy(env, more)
		return env
	}
	onlyFinish := map[string]string{"KONGDAO_STEP": "finish"}
	newState := []step{kong("migrations bootstrap").withPlugins(bundledOnly)}
	pendingState := append(slices.Clone(newState), kong("migrations up").withPlugins(withPlugin))
	release := files.withMigrationList(baseMigration, phaseMigration, nextMigration).
		withMigration(nextMigration, upMigration("SELECT 1"))
	pendingAndNewState := append(slices.Clone(pendingState), kong("migrations list").withFiles(release).exits(4))
	return []jobTest{
		{name: "empty", exit: jobDone, output: "kongdao: done"},
		{name: "empty, finish only", env: onlyFinish, exit: jobNeedsBootstrapping, output: "kongdao: empty"},
		{
			name: "new", before: newState, env: map[string]string{"KONG_PLUGINS": withPlugin},
			exit: jobDone, output: "kongdao: pending",
		},
		{
			name: "new, up and finish", before: newState,
			env:  map[string]string{"KONG_PLUGINS": withPlugin, "KONGDAO_FINISH": "all"},
			exit: jobDone, output: "kongdao: done",
		},
		{name: "pending", before: pendingState, exit: jobDone, output: "kongdao: pending"},
		{
			name: "pending, finish only", before: pendingState, env: finishNamed(onlyFinish),
			exit: jobDone, output: "kongdao: done",
		},
		{
			name: "pending, finish another migration only", before: pendingState,
			env:  finishNamed(map[string]string{"KONGDAO_STEP": "finish", "KONGDAO_PENDING": "dao-test: x"}),
			exit: jobBlocked, output: "kongdao: blocked",
		},
		{name: "pending and new", before: pendingAndNewState, exit: jobBlocked, output: "kongdao: blocked"},
		{
			name: "pending and new, up and finish", before: pendingAndNewState,
			env:  finishNamed(map[string]string{"KONGDAO_EXPECT": allMigrations + ", " + nextMigration}),
			exit: jobDone, output: "kongdao: done",
		},
	}
}

// jobErrorTests run the script with failures. The Job retries only errors that waiting can fix.
func jobErrorTests(files Files) []jobTest {
	withDeadline := func(name, value string) map[string]string {
		return map[string]string{name: value, "KONGDAO_WAIT": "4"}
	}
	newWithFiles := func(files Files) []step {
		return []step{kong("migrations bootstrap").withPlugins(bundledOnly), shell("true").withFiles(files)}
	}
	failing := files.withMigration(baseMigration, upMigration("SELECT 1/0"))
	invalid := files.withMigration(baseMigration, `return { postgres = { up = "SELECT 1" }, cassandra = { up = "" } }`)
	unloadable := files.with("handler.lua", "return { PRIORITY = 1 +")
	untouched := []step{kong("migrations bootstrap").withPlugins(bundledOnly), shell("true").withFiles(unloadable)}
	const deadline = "kongdao: deadline"
	return []jobTest{
		{
			name: "failing migration", before: newWithFiles(failing),
			env:  map[string]string{"KONG_PLUGINS": withPlugin},
			exit: jobMigrationFailed, output: "kongdao: failed",
		},
		{
			name: "connection refused", env: withDeadline("KONG_PG_PORT", "1"),
			exit: jobDeadlineExceeded, output: deadline,
		},
		{
			name: "wrong password", env: withDeadline("KONG_PG_PASSWORD", "wrong"),
			exit: jobMigrationFailed, output: wrongUser,
		},
		{
			name: "password in a file", env: map[string]string{"KONG_PG_PASSWORD": "", "KONG_PG_PASSWORD_FILE": "/none"},
			exit: jobMigrationFailed, output: "KONG_PG_PASSWORD_FILE: ",
		},
		{
			name: "too many connections",
			before: []step{sql("drop role if exists limited; create role limited login password 'x' connection limit 0",
				"DROP ROLE\nCREATE ROLE")},
			env:  map[string]string{"KONG_PG_USER": "limited", "KONG_PG_PASSWORD": "x", "KONGDAO_WAIT": "4"},
			exit: jobDeadlineExceeded, output: "too many connections for role",
		},
		{
			name: "invalid migration", before: newWithFiles(invalid), env: map[string]string{"KONG_PLUGINS": withPlugin},
			exit: jobMigrationFailed, output: "is invalid",
		},
		{
			name: "plugin that Kong cannot load", before: untouched, env: map[string]string{"KONG_PLUGINS": withPlugin},
			exit: jobPluginNotLoadable, output: "error loading module 'kong.plugins.dao-test.handler'",
		},
		{
			name: "unknown host", env: withDeadline("KONG_PG_HOST", "nowhere.invalid"),
			exit: jobDeadlineExceeded, output: deadline,
		},
		{
			name: "no route", env: withDeadline("KONG_PG_HOST", "203.0.113.1"),
			exit: jobDeadlineExceeded, output: deadline,
		},
		{
			name: "files that Kong does not see", before: newWithFiles(Files{}),
			env:  map[string]string{"KONG_PLUGINS": withPlugin},
			exit: jobPluginNotLoadable, output: "dao-test plugin is enabled but not installed",
		},
		{
			name: "migrations that Kong does not see", before: newWithFiles(files.without("migrations")),
			env:  map[string]string{"KONG_PLUGINS": withPlugin},
			exit: jobPluginNotListed, output: "dao-test: " + baseMigration,
		},
	}
}

// jobLockTests run the script while or after other commands migrate.
func jobLockTests(files Files, script string) []jobTest {
	expectSlow := map[string]string{"KONGDAO_EXPECT": "dao-test: " + baseMigration + ", " + slowMigration}
	slowUp := func(seconds, lockTimeout string) []step {
		return append(prepareRuns(files),
			kong("migrations up --db-timeout 60 --lock-timeout "+lockTimeout).withEnv(expectSlow).
				withFiles(files.withSlowMigration(seconds)).inBackground("up"),
			waitForLock())
	}
	slowBootstrap := files.withMigrationList("000_slow").
		withMigration("000_slow", upMigration("SELECT pg_sleep(3)"))
	return []jobTest{
		{name: "lock of another command", before: slowUp("12", "60"), exit: jobDone, output: otherNode},
		{name: "killed up", before: append(slowUp("3", "6"), kill("up")), exit: jobDone, output: "kongdao: done"},
		{
			name: "killed bootstrap",
			before: []step{
				kong("migrations bootstrap --db-timeout 60 --lock-timeout 6").withFiles(slowBootstrap).
					inBackground("bootstrap"),
				waitForLock(),
				kill("bootstrap"),
			},
			env:  map[string]string{"KONGDAO_FINISH": "all", "KONGDAO_EXPECT": "dao-test: 000_slow"},
			exit: jobDone, output: "kongdao: done",
		},
		{
			name: "terminated connection",
			before: append(prepareRuns(files),
				shell("true").withEnv(expectSlow).withFiles(files.withSlowMigration("3")),
				shell(script).inBackground("job"),
				waitForSlowMigration(),
				sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "+
					"where query like '%pg_sleep%' and pid <> pg_backend_pid() and state = 'active'", "1"),
				waitFor("job").prints("FATAL: terminating connection due to administrator command", "kongdao: done")),
			exit: jobDone, output: "kongdao: done",
		},
		{
			name: "three at the same time",
			before: []step{
				shell(script).withEnv(map[string]string{"KONG_PREFIX": "/tmp/one"}).inBackground("one"),
				shell(script).withEnv(map[string]string{"KONG_PREFIX": "/tmp/two"}).inBackground("two"),
				shell(script).withEnv(map[string]string{"KONG_PREFIX": "/tmp/three"}).inBackground("three"),
				waitFor("one").prints("kongdao: "),
				waitFor("two").prints("kongdao: "),
				waitFor("three").prints("kongdao: "),
			},
			// An up that starts between two steps of the bootstrap leaves a migration pending.
			exit: jobDone, output: "kongdao: ",
		},
	}
}
