package contract

import "slices"

// The path and the header of a request that makes the plugin insert a row.
const insertPath = "/self/status/ready"

// insertRequest sends the request to the proxy.
func insertRequest(status int) step {
	return step{
		request: &Request{
			Method: "GET", Port: proxyPort, Path: insertPath, Headers: map[string]string{"mykey-add": "test"},
		},
		status: status,
	}
}

// enablePlugin creates a service, a route and the plugin through the Admin API.
func enablePlugin() []step {
	return []step{
		putAdmin(200, "/services/self", `{"url":"http://127.0.0.1:8100"}`),
		postAdmin(201, "/services/self/routes", `{"paths":["/self"]}`),
		postAdmin(201, "/services/self/plugins", `{"name":"dao-test"}`),
	}
}

// loadingCases start Kong with complete and incomplete plugins.
func loadingCases(files Files) []testCase {
	withoutTable := func(name string, files Files) testCase {
		return testCase{
			name: name,
			reason: "without migrations, all commands exit 0, " +
				"and the first request fails because the table is missing (fact K5)",
			steps: slices.Concat([]step{
				kong("migrations bootstrap").withFiles(files),
				kong("migrations list").omits("dao-test"),
				kong("migrations up").prints(upToDate),
				kong("start").prints(started),
			}, enablePlugin(), []step{
				insertRequest(500),
				shell(`grep -h 'relation "my_plugin_table" does not exist' "$KONG_PREFIX"/logs/error.log`).
					prints("dao-test"),
				kong("quit"),
			}),
		}
	}
	return []testCase{
		workingCase(files),
		withoutTable("no migrations", files.without("migrations")),
		withoutTable("no list of migrations", files.without("migrations/init.lua")),
		withoutTable("migrations only in the root folder", files.withMigrationsInBothFolders().without("migrations")),
		missingMigrationCase(files),
		incompletePluginCase(files),
		{
			name:   "ports in use",
			reason: "a start on ports of another process fails, so the Job tries another port for its check (fact K47)",
			steps: []step{
				kong("migrations bootstrap").withFiles(files),
				kong("start"),
				shell("KONG_PREFIX=/tmp/second kong start").exits(1).prints("Error: ", "Address already in use"),
			},
		},
		{
			name:   "migrations in both folders",
			reason: "a plugin with all files in the root folder and in migrations works (fact K8)",
			steps: slices.Concat([]step{
				kong("migrations bootstrap").withFiles(files.withMigrationsInBothFolders()),
				kong("migrations list").printsFile(listWhenUpToDate),
				kong("start"),
			}, enablePlugin(), []step{insertRequest(200)}),
		},
	}
}

func workingCase(files Files) testCase {
	return testCase{
		name: "complete plugin",
		reason: "Kong finds plugins through KONG_LUA_PACKAGE_PATH (fact K1), " +
			"and serves their entities in the Admin API (fact K4)",
		steps: slices.Concat([]step{
			kong("migrations bootstrap").withFiles(files),
			kong("start"),
		}, enablePlugin(), []step{
			insertRequest(200),
			sql("select mykey from my_plugin_table", "test"),
			get(200, adminPort, "/my-plugin-rows/test").prints(`"mykey":"test"`),
			get(200, adminPort, "/my-plugin-rows").prints(`"mykey":"test"`),
			postAdmin(400, "/plugins", `{"name":"not-enabled"}`).prints("not enabled"),
			postAdmin(400, "/plugins", `{"name":"dao-test","config":{"nonsense":1}}`).prints("unknown field"),
			kong("reload").prints("Kong reloaded"),
			insertRequest(200),
			shell("kong quit && kong start").withPlugins(bundledOnly).exits(1).
				prints("dao-test plugin is in use but not enabled"),
		}),
	}
}

func missingMigrationCase(files Files) testCase {
	missing := []string{
		"Error: ",
		"failed to load migration 'kong.plugins.dao-test.migrations." + phaseMigration + "' of 'dao-test' subsystem",
	}
	return testCase{
		name:   "listed migration without a file",
		reason: "if a listed migration has no file, list, up and start exit 1 (fact K6)",
		steps: []step{
			kong("migrations bootstrap").withFiles(files),
			kong("migrations list").withFiles(files.without("migrations/" + phaseMigration + ".lua")).
				exits(1).prints(missing...),
			kong("migrations up").exits(1).prints(missing...),
			kong("start").exits(1).prints(missing...),
		},
	}
}

func incompletePluginCase(files Files) testCase {
	start := func(files Files, message string) step {
		return kong("start").withFiles(files).exits(1).prints(initError, message)
	}
	next := files.withMigrationList(baseMigration, phaseMigration, nextMigration).
		withMigration(nextMigration, teardownMigration("SELECT 1"))
	return testCase{
		name: "incomplete plugin",
		reason: "start exits 1 if the handler, the schema or the whole plugin is missing (fact K7), " +
			"or if PRIORITY or VERSION is invalid (fact K36)",
		steps: []step{
			kong("migrations bootstrap").withFiles(files),
			start(files.without("handler.lua"),
				"on plugin 'dao-test': dao-test plugin is enabled but not installed"),
			start(files.without("schema.lua"), "no configuration schema found for plugin: dao-test"),
			start(Files{}, "dao-test plugin is enabled but not installed"),
			kong("migrations list").omits("dao-test"),
			start(files.with("handler.lua", `return { VERSION = "1.0.0" }`), "PRIORITY"),
			start(files.with("handler.lua", `return { PRIORITY = 1, VERSION = "one" }`), "VERSION"),
			kong("migrations up").withFiles(next),
			// A warning comes before the error.
			start(next.with("handler.lua", `return { VERSION = "1.0.0" }`), "PRIORITY").
				prints("pending migrations", nextMigration),
		},
	}
}
