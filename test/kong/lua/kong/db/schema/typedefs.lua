-- Field types for plugins: require "kong.db.schema.typedefs". Each one is a field. It can also be called as a function,
-- which returns a copy of the field with changes.

local typedefs = {}

local function define(name, field)
  typedefs[name] = setmetatable(field, {
    __call = function(self, changes)
      local copy = {}
      for key, value in pairs(self) do
        copy[key] = value
      end
      for key, value in pairs(changes or {}) do
        copy[key] = value
      end
      return copy
    end,
  })
end

define("uuid", { type = "string", uuid = true, auto = true })
define("auto_timestamp_s", { type = "integer", timestamp = true, auto = true })
define("auto_timestamp_ms", { type = "number", timestamp = true, auto = true })
define("header_name", { type = "string", match = "^[%w_%-]+$" })
define("host", { type = "string" })
define("ip", { type = "string" })
define("ip_or_cidr", { type = "string" })
define("port", { type = "integer", between = { 0, 65535 } })
define("path", { type = "string", starts_with = "/" })
define("url", { type = "string" })
define("timeout", { type = "integer", between = { 0, 2147483646 } })
define("http_method", { type = "string", match = "^%u+$" })
define("name", { type = "string" })
define("utf8_name", { type = "string" })
define("tag", { type = "string" })
define("tags", { type = "set", elements = { type = "string" } })
define("ttl", { type = "integer" })
define("lua_code", { type = "string" })
define("protocol", {
  type = "string", one_of = { "http", "https", "tcp", "tls", "udp", "grpc", "grpcs", "tls_passthrough" },
})

local function protocols(name, list)
  define(name, { type = "set", default = list, elements = { type = "string", one_of = list } })
end

protocols("protocols", { "grpc", "grpcs", "http", "https" })
protocols("protocols_http", { "grpc", "grpcs", "http", "https" })

-- A field of this type must be null. A plugin with this field cannot be enabled for one consumer, route, service or
-- group.
for _, scope in ipairs { "consumer", "route", "service", "consumer_group" } do
  define("no_" .. scope, { type = "foreign", reference = scope .. "s", eq = require "cjson".null })
end

return typedefs
