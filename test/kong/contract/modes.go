package contract

import "maps"

// modes are ways to run Kong.
func modes(f Files) []Case {
	declared := `{"_format_version":"3.0","services":[{"name":"self","url":"http://127.0.0.1:8100","routes":[{"paths":["/self"]}],"plugins":[{"name":"dao-test"}]}]}`
	return []Case{
		{Name: "without a database", Reason: "K18", Steps: []Step{
			{Files: f, Env: map[string]string{"KONG_DATABASE": "off", "KONG_PG_PORT": "1"}, Run: "kong migrations list", Whole: "uptodate.list.txt"},
			{Run: "kong migrations up", Out: []string{upToDate}},
			{Run: "kong migrations bootstrap"},
			{Run: "kong migrations finish"},
			{Run: "kong start", Out: []string{"Kong started"}},
			{HTTP: &Request{Method: "POST", Port: 8001, Path: "/config", JSON: declared}, Status: 201},
			{HTTP: inserting, Status: 500},
			{Shell: `cat "$KONG_PREFIX"/logs/error.log`, Out: []string{"cannot create 'my_plugin_table' entities when not using a database"}},
			stopped,
		}},
		{Name: "roles", Reason: "K18", Steps: []Step{
			{Files: f, Env: map[string]string{"KONG_ROLE": "data_plane"}, Run: "kong start", Exit: 1, Out: []string{"only in-memory storage can be used when role = \"data_plane\""}},
			{Run: "kong migrations list", Exit: 1},
		}},
		{Name: "a stale .kong_env", Reason: "K15", Steps: []Step{
			{Files: f, Env: bundledOnly, Run: "kong migrations bootstrap"},
			{Env: map[string]string{"KONG_PLUGINS": Unset}, Run: "kong migrations list", Not: []string{"dao-test"}},
			{Shell: `echo 'plugins = bundled,dao-test' >"$KONG_PREFIX/.kong_env"`},
			{Run: "kong migrations list", Exit: 5, Out: []string{"dao-test"}},
			{Shell: `KONG_PREFIX=$(mktemp -d) kong migrations list`, Not: []string{"dao-test"}},
			{Env: withPlugin, Shell: `rm "$KONG_PREFIX/.kong_env"; kong migrations up && kong migrations finish && kong start && grep '^plugins' "$KONG_PREFIX/.kong_env"`, Out: []string{"dao-test"}},
			stopped,
		}},
		{Name: "migrations at the start", Reason: "K16", Steps: []Step{
			{Files: f, Env: bundledOnly, Run: "kong migrations bootstrap"},
			{Env: withPlugin, Run: "kong start --run-migrations", Exit: 1, Out: []string{"New migrations available"}},
			{Run: "kong migrations list", Exit: 5},
		}},
		{Name: "the chart's wait-for-db", Reason: "K19, K26", Steps: []Step{
			{Files: f, Background: "gate", Shell: "export KONG_NGINX_DAEMON=on KONG_PREFIX=`mktemp -d` KONG_KEYRING_ENABLED=off; until kong start; do echo 'waiting for db'; sleep 1; done; kong stop"},
			{Run: "kong migrations bootstrap"},
			{Wait: "gate", Out: []string{"Kong started", "Kong stopped"}},
		}},
	}
}

// values are KONG_PLUGINS, as the facts' table has them.
func values(f Files) []Case {
	listed := []Step{{Files: f, Run: "kong migrations bootstrap"}}
	for _, value := range []string{"bundled,dao-test", "dao-test,bundled", " bundled , dao-test ", "bundled,\n  dao-test", "bundled,dao-test,bundled,dao-test", "bundled,off,dao-test"} {
		listed = append(listed, Step{Env: map[string]string{"KONG_PLUGINS": value}, Run: "kong migrations list", Whole: "uptodate.list.txt", Out: []string{both}})
	}
	for _, value := range []string{Unset, "", "bundled", "bundled,off"} {
		listed = append(listed, Step{Env: map[string]string{"KONG_PLUGINS": value}, Run: "kong migrations list", Out: []string{"rate-limiting: 000_base"}, Not: []string{"dao-test"}})
	}
	listed = append(listed, Step{Env: map[string]string{"KONG_PLUGINS": "off,bundled,dao-test"}, Run: "kong migrations list", Out: []string{"core"}, Not: []string{"dao-test", "acl"}})
	for _, value := range []string{"bundled,,dao-test", "bundled,dao-test,"} {
		listed = append(listed, Step{Env: map[string]string{"KONG_PLUGINS": value}, Run: "kong start", Exit: 1, Out: []string{"on plugin ''"}})
	}
	return []Case{{Name: "KONG_PLUGINS", Reason: "the table of KONG_PLUGINS, K20", Steps: listed}}
}

// job runs the script of a migration's Job from each starting point. Its exit
// codes are: 0 nothing to do any more, 10 blocked by pending migrations, 11 the
// deadline, 12 the plugin is not listed, 13 a migration failed, 14 not
// bootstrapped.
func job(f Files, script string) []Case {
	env := map[string]string{
		"KONGDAO_EXPECT": both, "KONGDAO_STEP": "up", "KONGDAO_FINISH": "none", "KONGDAO_PENDING": "",
		"KONGDAO_DEADLINE": "60", "KONGDAO_TIMEOUT": "30", "KONGDAO_TRIES": "2", "KONG_PG_TIMEOUT": "3000",
	}
	named := func(more map[string]string) map[string]string {
		all := map[string]string{"KONGDAO_FINISH": "named", "KONGDAO_PENDING": "dao-test: " + first}
		maps.Copy(all, more)
		return all
	}
	release := f.lists(base, first, second).with("migrations/"+second+".lua", up("SELECT 1"))
	one := func(name string, exit int, out string, changed map[string]string, before ...Step) Case {
		steps := append([]Step{{Files: f, Env: env, Shell: "kong version"}}, before...)
		steps = append(steps, Step{Env: changed, Shell: script, Exit: exit, Out: []string{out}})
		return Case{Name: "job, " + name, Reason: "K10 to K14, K27 to K31", Steps: steps}
	}
	bundled := Step{Env: bundledOnly, Run: "kong migrations bootstrap"}
	started := Step{Env: withPlugin, Run: "kong migrations up"}
	cases := []Case{
		one("empty", 0, "kongdao: done", nil),
		one("empty, and to finish", 14, "kongdao: empty", map[string]string{"KONGDAO_STEP": "finish"}),
		one("new", 0, "kongdao: pending", withPlugin, bundled),
		one("new, finish", 0, "kongdao: done", map[string]string{"KONG_PLUGINS": "bundled,dao-test", "KONGDAO_FINISH": "all"}, bundled),
		one("pending", 0, "kongdao: pending", nil, bundled, started),
		one("pending, and to finish", 0, "kongdao: done", named(map[string]string{"KONGDAO_STEP": "finish"}), bundled, started),
		one("pending, and to finish another", 10, "kongdao: blocked", named(map[string]string{"KONGDAO_STEP": "finish", "KONGDAO_PENDING": "dao-test: x"}), bundled, started),
		one("pending and new", 10, "kongdao: blocked", nil, bundled, started, Step{Files: release, Run: "kong migrations list", Exit: 4}),
		one("pending and new, finish", 0, "kongdao: done", named(map[string]string{"KONGDAO_EXPECT": both + ", " + second}), bundled, started, Step{Files: release, Run: "kong migrations list", Exit: 4}),
		one("failing", 13, "kongdao: failed", withPlugin, bundled, Step{Files: f.with("migrations/"+base+".lua", up("SELECT 1/0")), Shell: "true"}),
		one("connection refused", 11, "kongdao: deadline", map[string]string{"KONG_PG_PORT": "1", "KONGDAO_DEADLINE": "4"}),
		one("wrong password", 11, "password authentication failed", map[string]string{"KONG_PG_PASSWORD": "wrong", "KONGDAO_DEADLINE": "4"}),
		one("unknown host", 11, "kongdao: deadline", map[string]string{"KONG_PG_HOST": "nowhere.invalid", "KONGDAO_DEADLINE": "4"}),
		one("no route", 11, "kongdao: deadline", map[string]string{"KONG_PG_HOST": "203.0.113.1", "KONGDAO_DEADLINE": "4"}),
		one("not visible", 12, "dao-test: "+base, withPlugin, bundled, Step{Files: Files{}, Shell: "true"}),
		one("lock held", 0, notAnother, nil, append(counted(f), Step{Env: map[string]string{"KONGDAO_EXPECT": "dao-test: " + base + ", 001_slow"},
			Files: f.slow("4"), Background: "one", Run: "kong migrations up --db-timeout 60 --lock-timeout 60"}, locked)...),
		one("killed in up", 0, "kongdao: done", nil, append(counted(f), Step{Env: map[string]string{"KONGDAO_EXPECT": "dao-test: " + base + ", 001_slow"},
			Files: f.slow("3"), Background: "one", Run: "kong migrations up --db-timeout 60 --lock-timeout 6"}, locked, Step{Kill: "one"})...),
		one("killed in bootstrap", 0, "kongdao: done", map[string]string{"KONGDAO_FINISH": "all", "KONGDAO_EXPECT": "dao-test: 000_slow"},
			Step{Files: f.lists("000_slow").with("migrations/000_slow.lua", up("SELECT pg_sleep(3)")), Background: "one", Run: "kong migrations bootstrap --db-timeout 60 --lock-timeout 6"}, locked, Step{Kill: "one"}),
		one("backend terminated", 0, "kongdao: done", nil, append(counted(f), Step{Env: map[string]string{"KONGDAO_EXPECT": "dao-test: " + base + ", 001_slow"}, Files: f.slow("3"), Shell: "true"},
			Step{Background: "one", Shell: script}, sleeping,
			Step{SQL: "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid() and state = 'active'", Rows: "1"},
			Step{Wait: "one", Out: []string{"FATAL: terminating connection due to administrator command", "kongdao: done"}})...),
	}
	three := one("three at once", 0, "kongdao: done", nil,
		Step{Background: "one", Shell: script}, Step{Background: "two", Shell: script}, Step{Background: "three", Shell: script},
		Step{Wait: "one", Out: []string{"kongdao: "}}, Step{Wait: "two", Out: []string{"kongdao: "}}, Step{Wait: "three", Out: []string{"kongdao: "}})
	return append(cases, three)
}
