-- The state of a started worker: settings, plugins and kong.db. Starting fails with the same errors as in Kong.

local commands = require "testdouble.migrations.commands"
local configuration = require "testdouble.configuration"
local core = require "testdouble.entities.core"
local Dao = require "testdouble.entities.dao"
local declared = require "testdouble.server.declared"
local logger = require "testdouble.server.logger"
local Off = require "testdouble.entities.off"
local plugins = require "testdouble.server.plugins"
local Pool = require "testdouble.server.pool"
local schema = require "testdouble.entities.schema"

local runtime = {}

-- Fails unless all migrations have run. Pending migrations only cause a warning: after up, start exits 0 with a warning
-- (fact K12).
local function check_database(conf)
  local connector = require("testdouble.connector").new(conf)
  local ok, err = connector:init()
  if not ok then
    return nil, "[PostgreSQL error] " .. err
  end
  local now
  now, err = commands.check(connector)
  if not now then
    return nil, err
  end
  if now.pending then
    logger.warn("[lua] init.lua: init(): database has pending migrations:\n", tostring(now.pending))
  end
  return true
end

-- A plugin that is in use must be enabled, otherwise start exits 1 (fact K7).
local function check_use(db, loaded)
  for plugin, err in db.plugins:each() do
    if not plugin then
      return nil, "error building initial plugins: " .. err
    elseif not loaded.enabled[plugin.name] then
      return nil, "error building initial plugins: " .. plugin.name .. " plugin is in use but not enabled"
    end
  end
  return true
end

local function entities(self, loaded)
  local function add(definition)
    if self.off then
      self.db[definition.name] = Off.new(definition, self.declared[definition.name])
    else
      self.db[definition.name] = Dao.new(self.pool, definition)
    end
  end
  for _, definition in pairs(core) do
    add(definition)
  end
  for _, plugin in ipairs(loaded.order) do
    for _, entity in ipairs(plugin.entities) do
      add(entity)
      self.custom[entity.name] = entity
    end
  end
end

function runtime.start(conf)
  logger.set_level(conf.log_level)
  configuration.use_package_path(conf)
  local self = { conf = conf, off = conf.database == "off", db = {}, custom = {}, started = logger.clock() }
  require("testdouble.pdk.kong").install(self)
  local ok, err
  if not self.off then
    ok, err = check_database(conf)
    if not ok then
      return nil, err
    end
    self.pool = Pool.new(conf)
  end
  self.plugins, err = plugins.load(conf.loaded_plugins)
  if not self.plugins then
    return nil, err
  end
  if self.off then
    self.declared, err = declared.load(conf, self)
    if not self.declared then
      return nil, err
    end
  end
  entities(self, self.plugins)
  if not self.off then
    ok, err = check_use(self.db, self.plugins)
    if not ok then
      return nil, err
    end
  end
  return self
end

local function use(self, rows)
  self.declared = rows
  for name, dao in pairs(self.db) do
    dao.rows = rows[name] or {}
  end
end

-- Replaces the declarative configuration in all workers.
function runtime.declare(self, config)
  local rows, err = declared.parse(schema.copy(config), self)
  if not rows then
    return nil, err
  end
  local ok
  ok, err = declared.store(self.conf, config)
  if ok then
    runtime.follow(self)
  end
  return ok, err
end

-- Uses the configuration that another worker has received.
function runtime.follow(self)
  local config = declared.changed(self)
  if config then
    use(self, assert(declared.parse(config, self)))
  end
end

return runtime
