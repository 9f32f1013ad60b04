package checks

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/luaeval"
)

// removedModules are modules of Kong that are gone, by the first version without them (fact K39). The list comes from
// the files of Kong's releases.
var removedModules = []struct {
	since   KongVersion
	modules []string
}{
	{KongVersion{}, []string{ // before OldestKong
		"kong.api.crud_helpers", "kong.api.routes.apis", "kong.api.routes.cluster", "kong.api.routes.routes",
		"kong.api.routes.services", "kong.api_router", "kong.cache_warmup", "kong.core.api_router", "kong.core.balancer",
		"kong.core.certificate", "kong.core.cluster", "kong.core.error_handlers", "kong.core.events",
		"kong.core.globalpatches", "kong.core.handler", "kong.core.hooks", "kong.core.plugins_iterator",
		"kong.core.reports", "kong.core.router", "kong.dao.dao", "kong.dao.db", "kong.dao.db.cassandra",
		"kong.dao.db.postgres", "kong.dao.errors", "kong.dao.factory", "kong.dao.model_factory", "kong.dao.schemas.apis",
		"kong.dao.schemas.consumers", "kong.dao.schemas.nodes", "kong.dao.schemas.plugins",
		"kong.dao.schemas.ssl_certificates", "kong.dao.schemas.ssl_servers_names", "kong.dao.schemas.targets",
		"kong.dao.schemas.upstreams", "kong.dao.schemas_validation", "kong.db.dao.consumers", "kong.hybrid.message",
		"kong.kong", "kong.mlcache", "kong.resty.config", "kong.resty.getssl", "kong.runloop.mesh", "kong.serf",
		"kong.tools.ciphers", "kong.tools.cluster_ca", "kong.tools.database_cache", "kong.tools.printable",
		"kong.tools.public", "kong.tools.responses",
	}},
	{KongVersion{3, 0}, []string{
		"kong.db.dao.plugins.go", "kong.db.schema.entities.vaults_beta", "kong.plugins.base_plugin", "kong.singletons",
		"kong.vendor.classic",
	}},
	{KongVersion{3, 1}, []string{"kong.router.atc_compat"}},
	{KongVersion{3, 3}, []string{"kong.tools.batch_queue", "kong.tools.channel"}},
	{KongVersion{3, 4}, []string{
		"kong.cache.marshall", "kong.cluster_events.strategies.cassandra", "kong.db.strategies.cassandra",
		"kong.db.strategies.cassandra.connector", "kong.db.strategies.cassandra.tags",
	}},
	{KongVersion{3, 7}, []string{"kong.dynamic_hook.wrap_function_gen"}},
	{KongVersion{3, 8}, []string{
		"kong.tracing.instrumentation", "kong.tracing.request_id", "kong.tracing.tracing_context",
	}},
	{KongVersion{3, 9}, []string{"kong.llm.proxy.handler", "kong.llm.state"}},
}

// basePlugin is the class that handlers extended before Kong 3.0.
const basePlugin = "kong.plugins.base_plugin"

// replacements say what to use instead of a removed module. A name with a final dot stands for all modules below.
var replacements = []struct{ module, wayOut string }{
	{basePlugin, "return a plain table: local H = { PRIORITY = ..., VERSION = ... }, " +
		"and remove extend(), new() and the calls of super"},
	{"kong.singletons", "use the global variable kong: kong.db, kong.cache, kong.configuration"},
	{"kong.tools.responses", "use kong.response.exit(status, body)"},
	{"kong.vendor.classic", "use plain tables and metatables"},
	{"kong.tools.batch_queue", "use kong.tools.queue"},
	{"kong.tools.database_cache", "use kong.cache"},
	{"kong.dao.errors", "use the third value that kong.db.ENTITY:insert() and its siblings return"},
	{"kong.dao.", "use kong.db, and define entities in daos.lua as lists of fields"},
	{"kong.api.crud_helpers", "set generate_admin_api in daos.lua, or use kong.api.endpoints"},
	{"kong.core.", "use the functions of the plugin development kit: kong.request, kong.response, kong.service"},
	{"kong.cluster_events.strategies.cassandra", "remove it: Kong 3.4 removed Cassandra"},
	{"kong.db.strategies.cassandra", "remove it: Kong 3.4 removed Cassandra"},
}

func replacementOf(module string) string {
	for _, replacement := range replacements {
		if module == replacement.module || strings.HasSuffix(replacement.module, ".") &&
			strings.HasPrefix(module, replacement.module) {
			return replacement.wayOut
		}
	}
	return "use the functions of the plugin development kit instead"
}

// pluginPrefix is the prefix of the modules of plugins.
const pluginPrefix = "kong.plugins."

// checkRequired checks the modules that a file requires. A missing module makes loading fail if the file always loads
// it, and otherwise the request that needs it.
func (c *checker) checkRequired(file string, required luaeval.Required, isCertain bool) {
	finding, found := c.missingModule(required.Module)
	if !found {
		return
	}
	finding.File = file
	finding = finding.at(required.Pos)
	if !isCertain || !required.IsCertain {
		finding.Kong = "requests that need the module answer 500"
		if finding.maxSeverity == "" {
			finding.maxSeverity = Warning
		}
	}
	c.add(finding)
}

// missingModule returns the finding for a module that Kong cannot load, without its place.
func (c *checker) missingModule(module string) (Finding, bool) {
	notFound := fmt.Sprintf("%s: \"module '%s' not found\"", notStarting, module)
	for _, removed := range removedModules {
		if slices.Contains(removed.modules, module) {
			message := fmt.Sprintf("Kong no longer has the module %q", module)
			if !removed.since.IsZero() {
				message = fmt.Sprintf("Kong %s removed the module %q", removed.since, module)
			}
			rule := "module-removed"
			if module == basePlugin {
				rule = "module-base-plugin"
			}
			return Finding{Rule: rule, Message: message, Kong: notFound, WayOut: replacementOf(module),
				in: &versions{since: removed.since}}, true
		}
	}
	if own, isOwn := c.ownModule(module); isOwn {
		if c.fileOf(own) != "" {
			return Finding{}, false
		}
		return Finding{Rule: "module-missing", Message: fmt.Sprintf("the plugin has no file for the module %q", module),
			Kong: notFound, WayOut: fmt.Sprintf("add %s, or correct the name", own+LuaSuffix)}, true
	}
	if plugin, isPlugin := pluginOf(module); isPlugin {
		return c.otherPlugin(plugin, module)
	}
	if other := c.fileOf(strings.ReplaceAll(module, ".", "/")); other != "" {
		return Finding{Rule: "module-relative",
			Message: fmt.Sprintf("the module %q is the file %s of the plugin, which Kong finds only by its full name",
				module, other),
			Kong: notFound, WayOut: fmt.Sprintf("write require %q", pluginPrefix+c.Plugin+"."+module)}, true
	}
	return c.unknownModule(module, notFound)
}

// otherPlugin is the finding for a module of another plugin.
func (c *checker) otherPlugin(plugin, module string) (Finding, bool) {
	if slices.Contains(bundledPlugins, plugin) || slices.Contains(c.OtherPlugins, plugin) || c.Modules[module] {
		return Finding{}, false
	}
	return Finding{Rule: "module-other-plugin",
		Message: fmt.Sprintf("the module %q belongs to the plugin %q, which Kong's image does not have", module, plugin),
		WayOut:  fmt.Sprintf("request both plugins: %s,%s", plugin, c.Plugin)}, true
}

// unknownModule is the finding for a module that only Kong's image can have.
func (c *checker) unknownModule(module, notFound string) (Finding, bool) {
	switch {
	case c.Modules != nil && c.Modules[module]:
	case c.Modules != nil:
		return Finding{Rule: "module-unknown", Message: fmt.Sprintf("Kong's image has no module %q", module), Kong: notFound,
			WayOut: "install it in the image, or put its file into the plugin"}, true
	case !isInImage(module):
		return Finding{Rule: "module-unknown", maxSeverity: Note,
			Message: fmt.Sprintf("the module %q is not part of Kong", module),
			WayOut:  "make sure that Kong's image has it; \"kubectl kongdao verify\" tries it"}, true
	}
	return Finding{}, false
}

// ownModule returns the path without suffix of a module of this plugin.
func (c *checker) ownModule(module string) (string, bool) {
	name, isOwn := strings.CutPrefix(module, pluginPrefix+c.Plugin+".")
	return strings.ReplaceAll(name, ".", "/"), isOwn
}

// pluginOf returns the plugin of a module.
func pluginOf(module string) (string, bool) {
	rest, isPlugin := strings.CutPrefix(module, pluginPrefix)
	plugin, _, _ := strings.Cut(rest, ".")
	return plugin, isPlugin
}

// fileOf returns the file that Lua finds for a path without suffix: "lib/util.lua" or "lib/util/init.lua". It
// returns "" if there is none.
func (c *checker) fileOf(stem string) string {
	for _, file := range []string{stem + LuaSuffix, path.Join(stem, InitFile)} {
		if c.hasFile(file) {
			return file
		}
	}
	return ""
}

// bundledPlugins are the plugins of Kong 2.8 to 3.9.
var bundledPlugins = []string{
	"acl", "acme", "ai-prompt-decorator", "ai-prompt-guard", "ai-prompt-template", "ai-proxy",
	"ai-request-transformer", "ai-response-transformer", "aws-lambda", "azure-functions", "basic-auth",
	"bot-detection", "correlation-id", "cors", "datadog", "file-log", "grpc-gateway", "grpc-web", "hmac-auth",
	"http-log", "ip-restriction", "jwt", "key-auth", "ldap-auth", "log-serializers", "loggly", "oauth2",
	"opentelemetry", "post-function", "pre-function", "prometheus", "proxy-cache", "rate-limiting", "redirect",
	"request-size-limiting", "request-termination", "request-transformer", "response-ratelimiting",
	"response-transformer", "session", "standard-webhooks", "statsd", "syslog", "tcp-log", "udp-log", "zipkin",
}

// imageModules are the first elements of the names of modules that Kong's images have: Lua's own, OpenResty's, and the
// libraries that Kong depends on.
var imageModules = []string{
	"bit", "coroutine", "debug", "ffi", "io", "jit", "math", "os", "package", "string", "table", "kong", "resty",
	"ngx", "cjson", "lapis", "pl", "socket", "ssl", "mime", "ltn12", "lfs", "lpeg", "lyaml", "luaossl", "openssl",
	"lua_pack", "binaryheap", "date", "argparse", "inspect", "multipart", "version", "cassandra", "pgmoon", "http",
	"lua_system_constants", "luasyslog", "lsyslog", "xmlua", "lua_protobuf", "pb", "protoc", "semaphore",
	"tablepool", "thread", "process", "tasklet", "restyredis", "term", "logging", "etlua", "stringy", "uuid",
	"say", "table_nkeys", "lrandom", "penlight", "kong_lua",
}

func isInImage(module string) bool {
	first, _, _ := strings.Cut(module, ".")
	return slices.Contains(imageModules, first)
}
