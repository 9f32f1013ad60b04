package contract

// Parts of Kong's output.
const (
	needsBootstrap = "Database needs bootstrapping"
	otherNode      = "aborted: another node is performing database changes"
	upToDate       = "Database is already up-to-date"
	hasPending     = "Database has pending migrations; run 'kong migrations finish'"
	hasNew         = "New migrations available; run 'kong migrations up' to proceed"
	nothingPending = "No pending migrations to finish"
	bootstrapped   = "Database already bootstrapped"
	started        = "Kong started"
	wrongUser      = "failed to retrieve PostgreSQL server_version_num: authentication exchange unsuccessful"
	// initError begins the errors of plugins that cannot be loaded.
	initError = "init_by_lua error: "
)

// Migrations of the test plugin.
const (
	baseMigration  = "000_base_my_plugin" // has no teardown
	phaseMigration = "001_100_to_110"     // has a teardown, so it is pending after "up"
	nextMigration  = "002_110_to_120"     // is not in the plugin; cases add it
	allMigrations  = "dao-test: " + baseMigration + ", " + phaseMigration
)

// Values of KONG_PLUGINS.
const (
	bundledOnly = "bundled"
	withPlugin  = "bundled,dao-test"
)

// Ports of a Kong node.
const (
	proxyPort  = 8000
	adminPort  = 8001
	statusPort = 8100
)

// listWhenUpToDate is the file with the output of "kong migrations list" if all migrations are executed.
const listWhenUpToDate = "uptodate.list.txt"

func executed(migration string) string { return migration + " (executed)" }

func pending(migration string) string { return migration + " (pending)" }
