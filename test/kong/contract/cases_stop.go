package contract

// runScript runs the Job's script as a process that stopScript can signal.
const runScript = `echo $$ >/tmp/job.pid; exec sh -c "$SCRIPT" >/tmp/job.log 2>&1`

// stopScript sends the signal of the kubelet to the script.
const stopScript = "kill -QUIT $(cat /tmp/job.pid)"

// waitInLockScript waits until the script has called up, and then some seconds, in which up waits for the lock.
const waitInLockScript = `until grep -sq "kong migrations up" /tmp/job.log; do sleep 0.2; done; sleep 3`

// stopCases stop the Job's script while a Kong command runs.
func stopCases(files Files, script string) []testCase {
	slow := files.withSlowMigration("6")
	start := func(env map[string]string) step {
		env["SCRIPT"], env["KONGDAO_EXPECT"] = script, "dao-test: "+baseMigration+", "+slowMigration
		return kong("version").withFiles(slow).withEnv(env)
	}
	const holdLock = "insert into locks (key, owner, ttl) " +
		"values ('migrations', 'other', (now() + interval '1 hour') at time zone 'UTC')"
	return []testCase{
		{
			name: "output of a command that runs",
			reason: "a command writes its output to a file when it ends, but with stdbuf after each line, " +
				"and resty does the same",
			steps: append(prepareRuns(files),
				shell("kong migrations up --db-timeout 60 >/tmp/late").withFiles(slow).inBackground("up"),
				waitForSlowMigration(),
				shell("cat /tmp/late").omits("migrating dao-test"),
				waitFor("up"),
				shell("cat /tmp/late").prints("migrating dao-test on database 'kong'...\n", executed(slowMigration)),
				sql("update schema_meta set executed = array['"+baseMigration+"'], last_executed = '"+baseMigration+
					"' where subsystem = 'dao-test'", "UPDATE 1"),
				shell("stdbuf -oL kong migrations up --db-timeout 60 >/tmp/early").inBackground("up"),
				waitForSlowMigration(),
				shell("cat /tmp/early").prints("migrating dao-test on database 'kong'...\n").omits(executed(slowMigration)),
				waitFor("up"),
				shell(`stdbuf -oL resty -e 'print("line") ngx.sleep(20)' >/tmp/line & sleep 5; cat /tmp/line; kill $!`).
					prints("line\n"),
			),
		},
		{
			name:   "job: stopped while up waits for the lock",
			reason: "no migration runs, and the lock stays with its owner",
			steps: append(prepareRuns(files), jobVariables(slow),
				start(map[string]string{"KONGDAO_TIMEOUT": "3600", "KONGDAO_DEADLINE": "3600"}),
				sql(holdLock, "INSERT 0 1"),
				shell(runScript).inBackground("job"),
				shell(waitInLockScript),
				shell(stopScript),
				waitFor("job").exits(jobStopped),
				shell("cat /tmp/job.log").prints("kongdao: stopped"),
				sql("select owner from locks", "other"),
				sql(countRuns, "0"),
			),
		},
		{
			name:   "job: stopped while a migration runs",
			reason: "after a kill, the migration runs again (fact K29)",
			steps: append(prepareRuns(files), jobVariables(slow), start(map[string]string{}),
				shell(runScript).inBackground("job"),
				waitForSlowMigration(),
				shell(stopScript),
				waitFor("job").exits(jobStopped),
				shell("cat /tmp/job.log").prints(executed(slowMigration), "kongdao: stopped"),
				kong("migrations list"),
				sql(countRuns, "1"),
			),
		},
	}
}
