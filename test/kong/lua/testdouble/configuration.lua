-- The configuration of Kong. The variables KONG_* override the file $KONG_PREFIX/.kong_env, and the file overrides the
-- defaults. A started Kong writes the file (fact K15).

local posix = require "testdouble.posix"

local defaults = {
  prefix = "/usr/local/kong/", database = "postgres", role = "traditional", plugins = "bundled",
  lua_package_path = "./?.lua;./?/init.lua;", log_level = "notice",
  proxy_listen = "0.0.0.0:8000, 0.0.0.0:8443 http2 ssl",
  admin_listen = "127.0.0.1:8001, 127.0.0.1:8444 http2 ssl",
  status_listen = "127.0.0.1:8007",
  pg_host = "127.0.0.1", pg_port = "5432", pg_user = "kong", pg_password = "", pg_database = "kong",
  pg_schema = "", pg_timeout = "5000", nginx_daemon = "on", nginx_worker_processes = "2",
  declarative_config = "", declarative_config_string = "",
}

-- Plugins that are bundled with Kong. The test double has only their names and migrations.
local bundled = [[
  acl acme ai-prompt-decorator ai-prompt-guard ai-prompt-template ai-proxy ai-request-transformer
  ai-response-transformer aws-lambda azure-functions basic-auth bot-detection correlation-id cors datadog file-log
  grpc-gateway grpc-web hmac-auth http-log ip-restriction jwt key-auth ldap-auth loggly oauth2 opentelemetry
  post-function pre-function prometheus proxy-cache rate-limiting redirect request-size-limiting request-termination
  request-transformer response-ratelimiting response-transformer session standard-webhooks statsd syslog tcp-log
  udp-log zipkin
]]

local configuration = { bundled = {} }
for name in bundled:gmatch("%S+") do
  configuration.bundled[name] = true
end

local function strip(text)
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

local function elements(text)
  local list, from = {}, 1
  while true do
    local comma = text:find(",", from, true)
    local element = strip(text:sub(from, comma and comma - 1))
    -- A comma at the end is followed by an empty element.
    list[#list + 1] = element
    if not comma then
      return list
    end
    from = comma + 1
  end
end

-- Parses KONG_PLUGINS. "off" as the first element disables all plugins, and has no effect elsewhere. An empty element
-- is a plugin without a name, so loading it fails.
local function plugins(text)
  local set = {}
  local list = elements(text)
  if list[1] == "off" then
    return set
  end
  for _, name in ipairs(list) do
    if name == "bundled" then
      for each in pairs(configuration.bundled) do
        set[each] = true
      end
    elseif name ~= "off" then
      set[name] = true
    end
  end
  return set
end

-- Parses a list such as "0.0.0.0:8000 reuseport, [::]:8443 http2 ssl".
local function listeners(name, text)
  local list = {}
  if strip(text) == "off" then
    return list
  end
  for _, element in ipairs(elements(text)) do
    local address, port, flags = element:match("^(%S+):(%d+)(.*)$")
    if not address then
      return nil, name .. " must be of form: [off] | <ip>:<port> [flags], [... next entry ...]"
    end
    list[#list + 1] = {
      address = address:gsub("^%[(.*)%]$", "%1"), port = tonumber(port),
      ssl = (" " .. flags .. " "):find(" ssl ", 1, true) ~= nil,
    }
  end
  return list
end

local function read_file(path)
  local file = io.open(path)
  if not file then
    return {}, false
  end
  local values = {}
  for line in file:lines() do
    local name, value = line:match("^%s*([%w_]+)%s*=%s*(.-)%s*$")
    if name then
      values[name] = value:gsub("\\n", "\n"):gsub("\\#", "#")
    end
  end
  file:close()
  return values, true
end

-- Checks the database of a role: a data plane requires database=off (fact K18).
local function check_role(conf)
  local is_hybrid = conf.role == "data_plane" or conf.role == "control_plane"
  if is_hybrid and (conf.cluster_cert or "") == "" then
    return nil, "cluster certificate and key must be provided to use Hybrid mode" -- before all else (fact K45)
  end
  if conf.role == "data_plane" and conf.database ~= "off" then
    return nil, 'only in-memory storage can be used when role = "data_plane"\n'
      .. "Hint: set database = off in your kong.conf"
  elseif conf.role == "control_plane" and conf.database == "off" then
    return nil, 'in-memory storage can not be used when role = "control_plane"'
  elseif conf.role ~= "traditional" and conf.role ~= "data_plane" and conf.role ~= "control_plane" then
    return nil, "role has an invalid value: '" .. conf.role .. "' (traditional, control_plane, data_plane)"
  elseif conf.database ~= "postgres" and conf.database ~= "off" then
    return nil, "database has an invalid value: '" .. conf.database .. "' (postgres, off)"
  end
  return true
end

-- Loads the configuration. Options: prefix, and running, which prefers the settings of the running node in the file.
-- Returns nil and an error for an invalid value.
function configuration.load(options)
  options = options or {}
  local variables = {}
  for name, value in pairs(posix.environment()) do
    local setting = name:match("^KONG_(.+)$")
    if setting == "PLUGINS" and strip(value) == "" then
      variables.plugins = "off" -- an empty list loads nothing
    elseif setting and strip(value) ~= "" then
      variables[setting:lower()] = strip(value)
    end
  end
  variables.nginx_daemon = variables.nginx_daemon or variables.nginx_main_daemon
  local prefix = (options.prefix or variables.prefix or defaults.prefix):gsub("/+$", "")
  local file = read_file(prefix .. "/.kong_env")
  if not options.running then
    file.plugins = nil -- only the running node uses the plugins in the file (fact K15)
  end
  local conf = setmetatable({}, { __index = defaults })
  for _, layer in ipairs(options.running and { variables, file } or { file, variables }) do
    for name, value in pairs(layer) do
      conf[name] = value
    end
  end
  conf.prefix = prefix
  conf.env_file, conf.pid_file = prefix .. "/.kong_env", prefix .. "/pids/nginx.pid"
  conf.loaded_plugins = plugins(conf.plugins)
  local ok, err = check_role(conf)
  if not ok then
    return nil, err
  end
  conf.pg_seconds = tonumber(conf.pg_timeout) and tonumber(conf.pg_timeout) / 1000
  if not conf.pg_seconds then
    return nil, "pg_timeout is not a number: '" .. conf.pg_timeout .. "'"
  end
  for _, name in ipairs { "proxy_listen", "admin_listen", "status_listen" } do
    conf[name .. "ers"], err = listeners(name, conf[name])
    if not conf[name .. "ers"] then
      return nil, err
    end
  end
  return conf
end

-- Creates the prefix. With write, it also writes the file with the settings. Other commands read it (fact K15).
function configuration.prepare(conf, write)
  for _, folder in ipairs { "", "/pids", "/logs", "/sockets" } do
    local ok, err = posix.mkdirs(conf.prefix .. folder)
    if not ok then
      return nil, err
    end
  end
  if not write then
    return true
  end
  local file, err = io.open(conf.env_file, "w")
  if not file then
    return nil, "cannot write " .. err
  end
  file:write("# kong is started with these settings\n")
  local names = {}
  for name in pairs(defaults) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if conf[name] ~= "" then
      file:write(name, " = ", (conf[name]:gsub("#", "\\#"):gsub("\n", "\\n")), "\n")
    end
  end
  file:close()
  return true
end

-- Adds the path that finds the plugins' files. Kong finds plugins through KONG_LUA_PACKAGE_PATH (fact K1).
function configuration.use_package_path(conf)
  package.path = conf.lua_package_path:gsub(";;$", ";") .. ";" .. package.path
end

return configuration
