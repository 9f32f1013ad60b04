package mutate

import "bytes"

// The variables that identify the database.
const (
	EnvHost   = "KONG_PG_HOST"
	EnvPort   = "KONG_PG_PORT"
	EnvName   = "KONG_PG_DATABASE"
	EnvSchema = "KONG_PG_SCHEMA"

	// fileSuffix ends the names of variables that name a file with the value of a setting (fact K41).
	fileSuffix = "_FILE"
)

// Other variables that an injection reads or writes.
const (
	envPlugins     = "KONG_PLUGINS"
	envPackagePath = "KONG_LUA_PACKAGE_PATH"
	envDatabase    = "KONG_DATABASE"
	envRole        = "KONG_ROLE"

	// helperPrefix begins the names of helper variables. A helper keeps the valueFrom of a variable that the injection
	// changes. The prefix must not be KONG_, because Kong would read the helper as a setting.
	helperPrefix = "KONGDAO_"
)

// isViewed reports whether Env.Variables has a variable.
func isViewed(name string) bool {
	switch name {
	case envPlugins, envPackagePath, envDatabase, envRole, helperName(envPlugins), helperName(envPackagePath):
		return true
	}
	return isDatabaseVariable(name)
}

// isKongSetting reports whether only Kong itself reads a variable. Variables such as KONG_ADMIN_URL and KONG_ADDR are
// for clients of Kong. The match condition of package policycontroller says the same.
func isKongSetting(name []byte) bool {
	switch string(name) {
	case envDatabase, envRole, envPlugins, envPackagePath, "KONG_PROXY_LISTEN", "KONG_ADMIN_LISTEN", "KONG_STATUS_LISTEN",
		"KONG_PREFIX", "KONG_DECLARATIVE_CONFIG", "KONG_LOG_LEVEL":
		return true
	}
	return bytes.HasPrefix(name, []byte("KONG_PG_")) || bytes.HasPrefix(name, []byte("KONG_NGINX_"))
}

func isDatabaseVariable(name string) bool {
	switch name {
	case EnvHost, EnvPort, EnvName, EnvSchema,
		EnvHost + fileSuffix, EnvPort + fileSuffix, EnvName + fileSuffix, EnvSchema + fileSuffix:
		return true
	}
	return false
}

// helperName returns the name of a variable's helper. The constants avoid an allocation: it runs for every variable of
// every pod.
func helperName(variable string) string {
	switch variable {
	case envPlugins:
		return helperPrefix + envPlugins
	case envPackagePath:
		return helperPrefix + envPackagePath
	}
	return helperPrefix + variable
}
