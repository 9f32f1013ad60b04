package contract

import (
	"slices"
	"testing"
)

const (
	needsBootstrap = "Database needs bootstrapping"
	notAnother     = "aborted: another node is performing database changes"
	upToDate       = "Database is already up-to-date"
	hasPending     = "Database has pending migrations; run 'kong migrations finish'"
	base           = "000_base_my_plugin"
	first          = "001_100_to_110"
	second         = "002_110_to_120"
	both           = "dao-test: " + base + ", " + first
)

// bundledOnly are the variables of a Kong that has no plugin of ours.
var bundledOnly = map[string]string{"KONG_PLUGINS": "bundled"}

// withPlugin are those of one that has it.
var withPlugin = map[string]string{"KONG_PLUGINS": "bundled,dao-test"}

var stopped = Step{Shell: "kong quit"}

// Cases is the table.
func Cases(t *testing.T, script string) []Case {
	files := plugin(t)
	return slices.Concat(states(files), files.silent(), runners(files), steps(files), modes(files), values(files), job(files, script))
}

// states are the rows of the facts' table on `kong migrations`: what each
// command does on each state of the database.
func states(files Files) []Case {
	release := files.lists(base, first, second).with("migrations/"+second+".lua", up(`ALTER TABLE "my_plugin_table" ADD COLUMN IF NOT EXISTS "more" TEXT`))
	toNew := []Step{{Files: files, Env: bundledOnly, Run: "kong migrations bootstrap"}, {Env: withPlugin, Run: "kong migrations list", Exit: 5}}
	toPending := append(slices.Clone(toNew), Step{Run: "kong migrations up", Out: []string{first + " (pending)"}})
	then := func(before []Step, more ...Step) []Step { return append(slices.Clone(before), more...) }
	return []Case{
		{Name: "empty", Reason: "the table's row empty, K13", Steps: []Step{
			{Files: files, Run: "kong migrations list", Exit: 3, Out: []string{needsBootstrap}},
			{Run: "kong migrations status", Out: []string{`"needs_bootstrap":true`}},
			{Run: "kong migrations up", Exit: 1, Out: []string{"Error: Cannot run migrations: " + needsBootstrap}},
			{Run: "kong migrations finish", Exit: 1, Out: []string{"Error: Cannot run migrations: " + needsBootstrap}},
			{Run: "kong start", Exit: 1, Out: []string{"Error: " + needsBootstrap}},
			{Run: "kong migrations bootstrap", Out: []string{"Bootstrapping database...", "dao-test migrated up to: " + first + " (executed)", "Database is up-to-date"}},
			{Run: "kong migrations list", Whole: "uptodate.list.txt"},
			{SQL: "select executed, pending from schema_meta where subsystem = 'dao-test'", Rows: "{" + base + "," + first + "}|{}"},
		}},
		{Name: "new", Reason: "the table's row new, K13, K27", Steps: then(toNew,
			Step{Run: "kong migrations list", Exit: 5, Whole: "new.list.txt", Out: []string{"New migrations available:\n" + both}},
			Step{Run: "kong migrations status", Whole: "new.status.txt"},
			Step{Run: "kong migrations finish", Out: []string{"New migrations available; run 'kong migrations up' to proceed"}},
			Step{Run: "kong migrations bootstrap", Out: []string{"Database already bootstrapped"}},
			Step{Run: "kong migrations list", Exit: 5},
			Step{Run: "kong start", Exit: 1, Out: []string{"Error: ", "New migrations available; run 'kong migrations up' to proceed"}},
			Step{Run: "kong migrations up", Out: []string{base + " (executed)", first + " (pending)", "2 migrations processed", "1 executed", "1 pending", hasPending + " when ready"}},
		)},
		{Name: "pending", Reason: "the table's row pending, K11, K12, K27", Steps: then(toPending,
			Step{Run: "kong migrations list", Exit: 4, Whole: "pending.list.txt", Out: []string{"Pending migrations:\ndao-test: " + first}},
			Step{Run: "kong migrations status", Whole: "pending.status.txt"},
			Step{Run: "kong migrations up", Exit: 1, Out: []string{"Error: " + hasPending}},
			Step{Run: "kong start", Out: []string{"pending migrations"}},
			Step{SQL: "insert into my_plugin_table (id, mykey) values (gen_random_uuid(), 'old') returning 1", Rows: "1\nINSERT 0 1"},
			Step{Run: "kong migrations finish", Out: []string{first + " (executed)", "No pending migrations to finish"}},
			Step{SQL: "select origin from my_plugin_table", Rows: "before 1.1.0"},
			stopped,
			Step{Run: "kong migrations list", Whole: "uptodate.list.txt"},
		)},
		{Name: "pending and new", Reason: "the table's row pending and new, K11", Steps: then(toPending,
			Step{Files: release, Run: "kong migrations list", Exit: 4, Whole: "pendingnew.list.txt",
				Out: []string{"Database has pending migrations from a previous upgrade, and new migrations from this upgrade"}},
			Step{Run: "kong migrations status", Whole: "pendingnew.status.txt"},
			Step{Run: "kong migrations up", Exit: 1, Out: []string{"Error: " + hasPending}},
			Step{Run: "kong migrations finish", Out: []string{"New migrations available; run 'kong migrations up' to proceed"}},
			Step{Run: "kong migrations list", Exit: 5},
			Step{Run: "kong migrations up", Out: []string{second + " (executed)"}},
			Step{Run: "kong migrations list"},
		)},
		{Name: "up to date", Reason: "the table's row up to date", Steps: []Step{
			{Files: files, Run: "kong migrations bootstrap"},
			{Run: "kong migrations list", Whole: "uptodate.list.txt", Not: []string{"New", "Pending"}},
			{Run: "kong migrations status", Whole: "uptodate.status.txt"},
			{Run: "kong migrations up", Out: []string{upToDate}},
			{Run: "kong migrations finish", Out: []string{"No pending migrations to finish"}},
			{Run: "kong migrations bootstrap", Out: []string{"Database already bootstrapped"}},
			{Run: "kong migrations list -q", Not: []string{"core"}},
			{Run: "kong start", Out: []string{"Kong started"}},
			{Run: "kong health"},
			{HTTP: &Request{Method: "GET", Port: 8100, Path: "/status/ready"}, Status: 200, Out: []string{"ready"}},
			stopped,
			{Run: "kong health", Exit: 1},
			{Run: "kong migrations reset", Exit: 1, Out: []string{"not a tty"}},
			{Run: "kong migrations reset --yes", Out: []string{"Database successfully reset"}},
			{Run: "kong migrations list", Exit: 3},
		}},
		{Name: "unreachable", Reason: "the table's row unreachable", Steps: []Step{
			{Files: files, Env: map[string]string{"KONG_PG_PORT": "1"}, Run: "kong migrations list", Exit: 1, Out: []string{"Error: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: connection refused"}},
			{Run: "kong migrations up", Exit: 1},
			{Run: "kong migrations status", Exit: 1},
			{Run: "kong start", Exit: 1, Out: []string{"Error: "}},
			{Env: map[string]string{"KONG_PG_PORT": "5432", "KONG_PG_PASSWORD": "wrong"}, Run: "kong migrations list", Exit: 1, Out: []string{"password authentication failed"}},
		}},
		{Name: "forced", Reason: "K13", Steps: []Step{
			{Files: files, Run: "kong migrations bootstrap"},
			{SQL: "insert into my_plugin_table (id, mykey) values (gen_random_uuid(), 'kept?') returning 1", Rows: "1\nINSERT 0 1"},
			{Run: "kong migrations up -f", Out: []string{"dao-test migrated up to: " + base}},
			{SQL: "select count(*) from my_plugin_table", Rows: "1"},
			{Run: "kong migrations bootstrap -f", Out: []string{"Resetting database...", "Database is up-to-date"}},
			{SQL: "select count(*) from my_plugin_table", Rows: "0"},
		}},
	}
}

// configured makes a service, a route and the plugin, through the Admin API.
func configured() []Step {
	return []Step{
		{HTTP: &Request{Method: "PUT", Port: 8001, Path: "/services/self", JSON: `{"url":"http://127.0.0.1:8100"}`}, Status: 200},
		{HTTP: &Request{Method: "POST", Port: 8001, Path: "/services/self/routes", JSON: `{"paths":["/self"]}`}, Status: 201},
		{HTTP: &Request{Method: "POST", Port: 8001, Path: "/services/self/plugins", JSON: `{"name":"dao-test"}`}, Status: 201},
	}
}

var inserting = &Request{Method: "GET", Port: 8000, Path: "/self/status/ready", Headers: map[string]string{"mykey-add": "test"}}

// silent are failures that nothing tells of, and those that something does.
func (f Files) silent() []Case {
	noTable := func(files Files) []Step {
		return slices.Concat([]Step{
			{Files: files, Run: "kong migrations bootstrap"},
			{Run: "kong migrations list", Not: []string{"dao-test"}},
			{Run: "kong migrations up", Out: []string{upToDate}},
			{Run: "kong start", Out: []string{"Kong started"}},
		}, configured(), []Step{
			{HTTP: inserting, Status: 500},
			{Shell: `grep -h 'relation "my_plugin_table" does not exist' "$KONG_PREFIX"/logs/error.log`, Out: []string{"dao-test"}},
			stopped,
		})
	}
	rootOnly := f.flat().without("migrations")
	return []Case{
		{Name: "works", Reason: "K1, K4, K24", Steps: slices.Concat([]Step{
			{Files: f, Run: "kong migrations bootstrap"}, {Run: "kong start"},
		}, configured(), []Step{
			{HTTP: inserting, Status: 200},
			{SQL: "select mykey from my_plugin_table", Rows: "test"},
			{HTTP: &Request{Method: "GET", Port: 8001, Path: "/my-plugin-rows/test"}, Status: 200, Out: []string{`"mykey":"test"`}},
			{HTTP: &Request{Method: "GET", Port: 8001, Path: "/my-plugin-rows"}, Status: 200, Out: []string{`"mykey":"test"`}},
			{HTTP: &Request{Method: "POST", Port: 8001, Path: "/plugins", JSON: `{"name":"not-enabled"}`}, Status: 400, Out: []string{"not enabled"}},
			{HTTP: &Request{Method: "POST", Port: 8001, Path: "/plugins", JSON: `{"name":"dao-test","config":{"nonsense":1}}`}, Status: 400, Out: []string{"unknown field"}},
			{Run: "kong reload", Out: []string{"Kong reloaded"}},
			{HTTP: inserting, Status: 200},
			{Env: bundledOnly, Shell: `kong quit && kong start`, Exit: 1, Out: []string{"dao-test plugin is in use but not enabled"}},
		})},
		{Name: "migrations are missing", Reason: "K5", Steps: noTable(f.without("migrations"))},
		{Name: "the list of migrations is missing", Reason: "K5", Steps: noTable(f.without("migrations/init.lua"))},
		{Name: "migrations in the root only", Reason: "K5", Steps: noTable(rootOnly)},
		{Name: "a listed migration is missing", Reason: "K6", Steps: func() []Step {
			broken := f.without("migrations/" + first + ".lua")
			missing := []string{"Error: ", "failed to load migration 'kong.plugins.dao-test.migrations." + first + "' of 'dao-test' subsystem"}
			return []Step{
				{Files: f, Run: "kong migrations bootstrap"},
				{Files: broken, Run: "kong migrations list", Exit: 1, Out: missing},
				{Run: "kong migrations up", Exit: 1, Out: missing},
				{Run: "kong start", Exit: 1, Out: missing},
			}
		}()},
		{Name: "parts of the plugin are missing", Reason: "K7", Steps: []Step{
			{Files: f, Run: "kong migrations bootstrap"},
			{Files: f.without("handler.lua"), Run: "kong start", Exit: 1, Out: []string{"on plugin 'dao-test': dao-test plugin is enabled but not installed"}},
			{Files: f.without("schema.lua"), Run: "kong start", Exit: 1, Out: []string{"no configuration schema found for plugin: dao-test"}},
			{Files: Files{}, Run: "kong start", Exit: 1, Out: []string{"dao-test plugin is enabled but not installed"}},
			{Run: "kong migrations list", Not: []string{"dao-test"}},
			{Files: f.with("handler.lua", `return { VERSION = "1.0.0" }`), Run: "kong start", Exit: 1, Out: []string{"PRIORITY"}},
			{Files: f.with("handler.lua", `return { PRIORITY = 1, VERSION = "one" }`), Run: "kong start", Exit: 1, Out: []string{"VERSION"}},
		}},
		{Name: "files in both places", Reason: "K8", Steps: slices.Concat([]Step{
			{Files: f.flat(), Run: "kong migrations bootstrap"},
			{Run: "kong migrations list", Whole: "uptodate.list.txt"},
			{Run: "kong start"},
		}, configured(), []Step{{HTTP: inserting, Status: 200}})},
	}
}
