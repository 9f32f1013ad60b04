package contract

import "time"

// slow is a release whose new migration takes so many seconds.
func (f Files) slow(seconds string) Files {
	return f.lists(base, "001_slow").with("migrations/001_slow.lua", up(`
      INSERT INTO "runs" VALUES (1);
      DO $$ BEGIN PERFORM pg_sleep(`+seconds+`); END $$;`))
}

// counted makes the table in which slow migrations count their runs.
func counted(f Files) []Step {
	return []Step{
		{Files: f.lists(base), Run: "kong migrations bootstrap"},
		{SQL: `create table runs (n int); select count(*) from runs`, Rows: "CREATE TABLE\n0"},
	}
}

// locked waits until a runner has the lock, sleeping until it is in its slow
// migration.
var (
	locked   = Step{SQL: "select count(*) from locks where key = 'migrations'", Rows: "1", Until: 10 * time.Second}
	sleeping = Step{SQL: "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(%' and pid <> pg_backend_pid()", Rows: "1", Until: 20 * time.Second}
)

// runners are several, one after another or at once, and those that are killed.
func runners(f Files) []Case {
	return []Case{
		{Name: "files that are not visible", Reason: "K10", Steps: []Step{
			{Files: f, Env: bundledOnly, Run: "kong migrations bootstrap"},
			{Files: Files{}, Env: withPlugin, Run: "kong migrations up", Out: []string{upToDate}, Not: []string{"dao-test"}},
			{Run: "kong migrations list", Not: []string{"dao-test"}},
			{Files: f, Run: "kong migrations list", Exit: 5},
		}},
		{Name: "lock held by another runner", Reason: "K10, K28", Steps: append(counted(f),
			Step{Files: f.slow("5"), Background: "one", Run: "kong migrations up --db-timeout 60 --lock-timeout 60"},
			locked,
			Step{Run: "kong migrations up --db-timeout 60 --lock-timeout 1", Exit: 1, Out: []string{"Error: [PostgreSQL error] timeout"}},
			Step{Run: "kong migrations finish", Out: []string{notAnother}},
			Step{Run: "kong migrations up --db-timeout 60 --lock-timeout 60", Out: []string{notAnother}},
			Step{Wait: "one", Out: []string{"001_slow (executed)"}},
			Step{SQL: "select count(*) from runs", Rows: "1"},
			Step{Run: "kong migrations list"},
		)},
		{Name: "the lock's holder fails", Reason: "K10", Steps: append(counted(f),
			Step{Files: f.lists(base, "001_slow").with("migrations/001_slow.lua", up("SELECT pg_sleep(3); SELECT 1/0;")),
				Background: "one", Run: "kong migrations up --db-timeout 60 --lock-timeout 60"},
			locked,
			Step{Run: "kong migrations up --db-timeout 60 --lock-timeout 60", Out: []string{notAnother}},
			Step{Wait: "one", Exit: 1, Out: []string{"Error: [PostgreSQL error] cluster_mutex callback threw an error: ", "division by zero", "stack traceback:"}},
			Step{Run: "kong migrations list", Exit: 5},
		)},
		{Name: "a runner is killed", Reason: "K10, K29", Steps: append(counted(f),
			Step{Files: f.slow("4"), Background: "one", Run: "kong migrations up --db-timeout 60 --lock-timeout 7"},
			sleeping,
			Step{Kill: "one"},
			// Another waits for the dead one's lock, and then leaves.
			Step{Run: "kong migrations up --lock-timeout 60", Out: []string{notAnother}},
			// The orphaned statement is committed, and nothing is written down.
			Step{SQL: "select count(*) from runs", Rows: "1", Until: 10 * time.Second},
			Step{Run: "kong migrations list", Exit: 5, Out: []string{"dao-test: 001_slow"}},
			Step{Run: "kong migrations up --db-timeout 60 --lock-timeout 60", Out: []string{"001_slow (executed)"}},
			Step{SQL: "select count(*) from runs", Rows: "2"},
		)},
		{Name: "a lease that is too short", Reason: "K28", Steps: append(counted(f),
			Step{Files: f.slow("5"), Background: "one", Run: "kong migrations up --db-timeout 60 --lock-timeout 1"},
			locked,
			Step{Pause: 1500 * time.Millisecond},
			Step{Run: "kong migrations up --db-timeout 60 --lock-timeout 60", Out: []string{"001_slow (executed)"}},
			Step{Wait: "one", Out: []string{"001_slow (executed)"}},
			Step{SQL: "select count(*) from runs", Rows: "2"},
		)},
		{Name: "a statement that takes too long", Reason: "K14", Steps: append(counted(f),
			Step{Files: f.slow("3"), Run: "kong migrations up --db-timeout 1", Exit: 1, Out: []string{"Error: ", "timeout"}},
			Step{SQL: "select count(*) from runs", Rows: "0"},
			Step{SQL: "select count(*) from runs", Rows: "1", Until: 10 * time.Second},
			Step{Run: "kong migrations list", Exit: 5},
			Step{Files: f.slow("6"), Run: "kong migrations up", Exit: 1, Out: []string{"timeout"}},
			Step{Env: map[string]string{"KONG_PG_TIMEOUT": "20000"}, Run: "kong migrations up", Out: []string{"001_slow (executed)"}},
		)},
		{Name: "a bootstrap that is interrupted", Reason: "K31", Steps: []Step{
			// A plugin that comes before all of Kong's own, and takes its time.
			{Files: Files{
				"kong/plugins/1dao/handler.lua": `return { PRIORITY = 1, VERSION = "1.0.0" }`, "kong/plugins/1dao/schema.lua": `return { name = "1dao", fields = { { config = { type = "record", fields = {} } } } }`,
				"kong/plugins/1dao/migrations/init.lua": list("000_slow"), "kong/plugins/1dao/migrations/000_slow.lua": up("SELECT pg_sleep(3)"),
			}, Env: map[string]string{"KONG_PLUGINS": "bundled,1dao"}, Background: "one", Run: "kong migrations bootstrap --db-timeout 60 --lock-timeout 3"},
			sleeping,
			{Kill: "one"},
			{Pause: 3 * time.Second},
			{Run: "kong migrations list", Exit: 5, Out: []string{"000_slow"}},
			{Run: "kong migrations up --db-timeout 60 --lock-timeout 60"},
			{Shell: `kong migrations list | sed -n '/^Pending/,/^$/p' | grep -c :.*_`, Out: []string{"12\n"}},
			{Run: "kong migrations list", Exit: 4, Out: []string{"response-ratelimiting: 001_350_to_360"}},
			{Run: "kong migrations finish"},
			{Run: "kong migrations list"},
		}},
	}
}

// steps are what migrations may be, and what becomes of them.
func steps(f Files) []Case {
	return []Case{
		{Name: "edited", Reason: "K9", Steps: []Step{
			{Files: f, Run: "kong migrations bootstrap"},
			{Files: f.with("migrations/"+base+".lua", up("CREATE TABLE never (n INT)")), Run: "kong migrations list", Whole: "uptodate.list.txt"},
			{Run: "kong migrations up", Out: []string{upToDate}},
			{SQL: "select to_regclass('never') is null", Rows: "t"},
		}},
		{Name: "put before others", Reason: "K2", Steps: []Step{
			{Files: f, Run: "kong migrations bootstrap"},
			{Files: f.lists("late", base, first).with("migrations/late.lua", up("CREATE TABLE late (n INT)")), Run: "kong migrations list", Exit: 5, Out: []string{"New migrations available:\ndao-test: late\n"}},
			{Run: "kong migrations up", Out: []string{"dao-test migrated up to: late (executed)"}},
			{SQL: "select to_regclass('late') is null", Rows: "f"},
		}},
		{Name: "in Lua", Reason: "K2, K3", Steps: []Step{
			{Files: f.lists("in_lua", "later").with("migrations/in_lua.lua", `return { postgres = { up_f = function(connector)
  assert(connector:query("CREATE TABLE in_lua (n INT)"))
end } }`).with("migrations/later.lua", upAndTeardown("", "INSERT INTO in_lua VALUES (7)")), Env: bundledOnly, Run: "kong migrations bootstrap"},
			{Env: withPlugin, Run: "kong migrations up", Out: []string{"in_lua (executed)", "later (pending)"}},
			{SQL: "select count(*) from in_lua", Rows: "0"},
			{Run: "kong migrations finish", Out: []string{"later (executed)"}},
			{SQL: "select n from in_lua", Rows: "7"},
			{Files: f.lists("none").with("migrations/none.lua", "return { postgres = {} }"), Run: "kong migrations list", Exit: 1, Out: []string{"Error: ", "is invalid", "postgres.up_f"}},
		}},
		{Name: "failing", Reason: "K17", Steps: []Step{
			{Files: f, Env: bundledOnly, Run: "kong migrations bootstrap"},
			{Files: f.lists(base, "001_bad", "002_last").with("migrations/001_bad.lua", up("CREATE TABLE rolled_back (n INT); SELECT 1/0;")).with("migrations/002_last.lua", up("SELECT 1")),
				Env: withPlugin, Run: "kong migrations up", Exit: 1, Out: []string{base + " (executed)", "Error: ", "failed to run migration '001_bad' up: ERROR: division by zero"}},
			{SQL: "select executed from schema_meta where subsystem = 'dao-test'", Rows: "{" + base + "}"},
			{SQL: "select to_regclass('rolled_back') is null", Rows: "t"},
			{SQL: "select count(*) from locks", Rows: "0"},
			{Run: "kong migrations up", Exit: 1, Not: []string{base + " (executed)"}},
			{Files: f.lists(base, "001_bad", "002_last").with("migrations/001_bad.lua", up("SELECT 1")).with("migrations/002_last.lua", up("SELECT 1")), Run: "kong migrations up", Out: []string{"002_last (executed)"}},
			{Run: "kong migrations list"},
		}},
		{Name: "older files", Reason: "K30", Steps: []Step{
			{Files: f, Env: bundledOnly, Run: "kong migrations bootstrap"},
			{Env: withPlugin, Run: "kong migrations up"},
			{Files: f.lists(base), Run: "kong migrations list", Not: []string{"Pending"}},
			{Run: "kong migrations finish", Out: []string{"No pending migrations to finish"}},
			{Files: f, Run: "kong migrations list", Exit: 4},
			{Run: "kong migrations finish", Out: []string{first + " (executed)"}},
		}},
		{Name: "Kong's own too", Reason: "K32", Steps: []Step{
			{Files: f, Env: bundledOnly, Run: "kong migrations bootstrap"},
			{SQL: "update schema_meta set executed = array_remove(executed, '024_380_to_390') where subsystem = 'core' returning 1", Rows: "1\nUPDATE 1"},
			{Env: withPlugin, Run: "kong migrations list", Exit: 5, Out: []string{"    core: 024_380_to_390\ndao-test: " + base}},
			{Run: "kong migrations up", Out: []string{"core migrated up to: 024_380_to_390 (executed)", base + " (executed)"}},
		}},
	}
}
