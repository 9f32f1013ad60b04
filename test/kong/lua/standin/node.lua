-- The commands about a node: start, stop, quit, reload, health, prepare.

local configuration = require "standin.configuration"

local node = { commands = {} }

local function load(options)
  local conf = assert(configuration.load { prefix = options.prefix })
  if options.db_timeout then
    conf.pg_seconds = options.db_timeout
  end
  return conf
end

-- A connector to the database, which is reached and can be worked with.
function node.connector(options)
  local conf = load(options)
  configuration.use_package_path(conf)
  assert(configuration.prepare(conf))
  _G.kong = { configuration = conf, version = "3.9.1" }
  local kind = conf.database == "off" and "standin.migrations.off" or "standin.connector"
  local connector = require(kind).new(conf)
  local ok, err = connector:init()
  if not ok then
    error("[" .. connector.strategy .. " error] " .. err, 0)
  end
  return connector, conf
end

return node
