package contract

// modeCases run Kong with different settings.
func modeCases(files Files) []testCase {
	return []testCase{
		withoutDatabaseCase(files),
		{
			name:   "data plane",
			reason: "a data plane without cluster certificates fails because of these (fact K45)",
			steps: []step{
				kong("start").withFiles(files).withEnv(map[string]string{"KONG_ROLE": "data_plane"}).exits(1).
					prints("cluster certificate and key must be provided to use Hybrid mode"),
				kong("migrations list").exits(1),
			},
		},
		settingsFileCase(files),
		{
			name:   "migrations at the start",
			reason: "start --run-migrations does not see plugins outside of Kong's own path (fact K16)",
			steps: []step{
				kong("migrations bootstrap").withFiles(files).withPlugins(bundledOnly),
				kong("start --run-migrations").withPlugins(withPlugin).exits(1).prints("New migrations available"),
				kong("migrations list").exits(5),
			},
		},
		{
			name: "wait-for-db of the chart",
			reason: "the container wait-for-db starts Kong in a loop (fact K19), " +
				"so it waits for the migrations (fact K26)",
			steps: []step{
				shell("export KONG_NGINX_DAEMON=on KONG_PREFIX=`mktemp -d` KONG_KEYRING_ENABLED=off; " +
					"until kong start; do echo 'waiting for db'; sleep 1; done; kong stop").
					withFiles(files).inBackground("wait-for-db"),
				kong("migrations bootstrap"),
				waitFor("wait-for-db").prints(started, "Kong stopped"),
			},
		},
	}
}

func withoutDatabaseCase(files Files) testCase {
	const configuration = `{"_format_version":"3.0","services":[{"name":"self","url":"http://127.0.0.1:8100",
"routes":[{"paths":["/self"]}],"plugins":[{"name":"dao-test"}]}]}`
	return testCase{
		name:   "no database",
		reason: "with KONG_DATABASE=off, migrations commands exit 0 and an insert fails with status 500 (fact K18)",
		steps: []step{
			kong("migrations list").withFiles(files).printsFile(listWhenUpToDate).
				withEnv(map[string]string{"KONG_DATABASE": "off", "KONG_PG_PORT": "1"}),
			kong("migrations up").prints(upToDate),
			kong("migrations bootstrap"),
			kong("migrations finish"),
			kong("start").prints(started),
			postAdmin(201, "/config", configuration),
			insertRequest(500),
			shell(`cat "$KONG_PREFIX"/logs/error.log`).
				prints("cannot create 'my_plugin_table' entities when not using a database"),
			kong("quit"),
		},
	}
}

func settingsFileCase(files Files) testCase {
	return testCase{
		name:   "settings in .kong_env",
		reason: "start writes its settings to $KONG_PREFIX/.kong_env, but list does not read the plugins there (fact K15)",
		steps: []step{
			kong("migrations bootstrap").withFiles(files).withPlugins(bundledOnly),
			kong("migrations list").withPlugins(unset).omits("dao-test"),
			shell(`echo 'plugins = bundled,dao-test' >"$KONG_PREFIX/.kong_env"`),
			kong("migrations list").omits("dao-test"),
			shell(`rm "$KONG_PREFIX/.kong_env"; kong migrations up && kong migrations finish && kong start &&
  grep '^plugins' "$KONG_PREFIX/.kong_env"`).withPlugins(withPlugin).prints("dao-test"),
			kong("quit"),
		},
	}
}

// pluginsVariableCases run Kong with different values of KONG_PLUGINS.
func pluginsVariableCases(files Files) []testCase {
	steps := []step{kong("migrations bootstrap").withFiles(files)}
	for _, value := range []string{
		"bundled,dao-test", "dao-test,bundled", " bundled , dao-test ", "bundled,\n  dao-test",
		"bundled,dao-test,bundled,dao-test", "bundled,off,dao-test",
	} {
		steps = append(steps,
			kong("migrations list").withPlugins(value).printsFile(listWhenUpToDate).prints(allMigrations))
	}
	for _, value := range []string{unset, "bundled", "bundled,off"} {
		steps = append(steps,
			kong("migrations list").withPlugins(value).prints("rate-limiting: 000_base").omits("dao-test"))
	}
	for _, value := range []string{"off,bundled,dao-test", "", "  "} {
		steps = append(steps, kong("migrations list").withPlugins(value).prints("core").omits("dao-test", "acl"))
	}
	for _, value := range []string{"bundled,,dao-test", "bundled,dao-test,"} {
		steps = append(steps, kong("start").withPlugins(value).exits(1).prints("on plugin ''"))
	}
	return []testCase{{
		name: "values of KONG_PLUGINS",
		reason: "the order and spaces do not matter, off as the first element and an empty value disable all plugins, " +
			"and an empty element fails",
		steps: steps,
	}}
}
