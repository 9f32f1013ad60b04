-- Entities of Kong itself: services, routes and plugins.

local function id() return { id = { type = "string", uuid = true, auto = true } } end
local function created() return { created_at = { type = "integer", timestamp = true, auto = true } } end
local function updated() return { updated_at = { type = "integer", timestamp = true, auto = true } } end
local function tags() return { tags = { type = "set", elements = { type = "string" } } } end
local function strings(name, default)
  return { [name] = { type = "set", elements = { type = "string" }, default = default } }
end

local milliseconds = { type = "integer", default = 60000, between = { 1, 2147483646 } }

return {
  services = {
    name = "services", primary_key = { "id" }, endpoint_key = "name",
    fields = {
      id(), created(), updated(), { name = { type = "string", unique = true } },
      { retries = { type = "integer", default = 5, between = { 0, 32767 } } },
      { protocol = { type = "string", required = true, default = "http", one_of = { "http", "https" } } },
      { host = { type = "string", required = true } },
      { port = { type = "integer", required = true, default = 80, between = { 0, 65535 } } },
      { path = { type = "string", starts_with = "/" } },
      { connect_timeout = milliseconds }, { write_timeout = milliseconds }, { read_timeout = milliseconds },
      tags(), { enabled = { type = "boolean", required = true, default = true } },
    },
  },
  routes = {
    name = "routes", primary_key = { "id" }, endpoint_key = "name",
    fields = {
      id(), created(), updated(), { name = { type = "string", unique = true } },
      { service = { type = "foreign", reference = "services" } },
      strings("protocols", { "http", "https" }), strings("methods"), strings("hosts"), strings("paths"),
      { strip_path = { type = "boolean", required = true, default = true } },
      { preserve_host = { type = "boolean", required = true, default = false } },
      { regex_priority = { type = "integer", default = 0 } }, tags(),
    },
  },
  plugins = {
    name = "plugins", primary_key = { "id" }, endpoint_key = "instance_name",
    fields = {
      id(), created(), updated(), { name = { type = "string", required = true } },
      { instance_name = { type = "string", unique = true } },
      { enabled = { type = "boolean", required = true, default = true } },
      { config = { type = "json", default = {} } },
      strings("protocols", { "grpc", "grpcs", "http", "https" }),
      { service = { type = "foreign", reference = "services" } },
      { route = { type = "foreign", reference = "routes" } }, tags(),
      { cache_key = { type = "string", unique = true } },
    },
  },
}
