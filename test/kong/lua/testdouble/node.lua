-- The commands for a node: start, stop, quit, reload, health, prepare and serve. The image's entrypoint calls serve.

local commands = require "testdouble.migrations.commands"
local configuration = require "testdouble.configuration"
local ffi = require "ffi"
local log = require "testdouble.log"
local posix = require "testdouble.posix"
local report = require "testdouble.server.report"

local C = ffi.C
local node = { commands = {} }

local function load(options)
  local conf = assert(configuration.load { prefix = options.prefix })
  if options.db_timeout then
    conf.pg_seconds = options.db_timeout
  end
  return conf
end

-- Returns a connector after a successful connection to the database.
function node.connector(options, write)
  local conf = load(options)
  configuration.use_package_path(conf)
  assert(configuration.prepare(conf, write))
  _G.kong = { configuration = conf, version = "3.9.1" }
  local kind = conf.database == "off" and "testdouble.migrations.off" or "testdouble.connector"
  local connector = require(kind).new(conf)
  local ok, err = connector:init()
  if not ok then
    error("[" .. connector.strategy .. " error] " .. err, 0)
  end
  return connector, conf
end

local function pid_of(conf)
  local file = io.open(conf.pid_file)
  local pid = file and tonumber(file:read("*l"))
  if file then
    file:close()
  end
  return posix.running(pid) and pid or nil
end

-- Returns an error of the server as the command prints it: after a warning if migrations are pending.
function node.start_error(err, pending)
  local warning = pending and "nginx: [warn] [lua] init.lua: init(): database has pending migrations:\n"
    .. tostring(pending) .. "\n" or ""
  return "/usr/local/share/lua/5.1/kong/cmd/start.lua:99: " .. warning .. err
end

-- Starts the node in another process, with logs in the prefix. Waits until the node serves requests.
local function in_background(conf, pending)
  local from, to = report.pipe()
  io.stdout:flush()
  if C.fork() == 0 then
    C.setsid()
    C.close(from)
    local append, mode = ffi.cast("int", 1 + 64 + 1024), ffi.cast("int", 420)
    C.dup2(C.open("/dev/null", 0), 0)
    C.dup2(C.open(conf.prefix .. "/logs/access.log", append, mode), 1)
    C.dup2(C.open(conf.prefix .. "/logs/error.log", append, mode), 2)
    C._exit(require("testdouble.server.master").run(conf, report.to(to)))
  end
  local ok, err = report.wait(from, to)
  if not ok then
    error(node.start_error(err, pending), 0)
  end
end

local function in_foreground(conf)
  local failed
  local code = require("testdouble.server.master").run(conf, function(err)
    failed = err
    if not err then
      log.verbose("serving")
    end
  end)
  if failed then
    error(failed, 0)
  end
  return code
end

function node.commands.start(options)
  local conf = load(options)
  if pid_of(conf) then
    error("Kong is already running in " .. conf.prefix, 0)
  end
  local connector
  connector, conf = node.connector(options, true)
  -- The command's own module path finds the plugins' migrations for the check. The option --run-migrations does not
  -- find them if only KONG_LUA_PACKAGE_PATH has their path (fact K16).
  if options.run_migrations and not connector.unlocked then
    local path = package.path
    package.path = path:gsub("^" .. conf.lua_package_path:gsub(";;$", ";"):gsub("%p", "%%%0") .. ";", "")
    commands.up(connector, { lock_timeout = options.lock_timeout or 60 })
    package.path = path
  end
  local pending
  if not connector.unlocked then
    local now, err = commands.check(connector)
    if not now then
      error(err, 0)
    end
    pending = now.pending
    if pending then
      log("Database has pending migrations:\n%s", tostring(pending))
    end
  end
  if conf.nginx_daemon == "off" then
    return in_foreground(conf)
  end
  in_background(conf, pending)
  log("Kong started")
end

-- Runs the server in the foreground, for kong docker-start.
function node.commands.serve(options)
  return in_foreground(load(options))
end

function node.commands.prepare(options)
  assert(configuration.prepare(load(options), true))
end

local function send_signal(options, signal)
  local conf = load(options)
  local pid = pid_of(conf)
  if not pid then
    error("nginx not running in prefix: " .. conf.prefix, 0)
  end
  C.kill(pid, signal)
  return conf, pid
end

function node.commands.stop(options)
  send_signal(options, posix.SIGTERM)
  log("Kong stopped")
end

-- The chart's preStop hook sets a wait. The node serves requests during the wait, until it is removed from its Service.
function node.commands.quit(options)
  local deadline = posix.monotonic() + (options.wait or 0)
  while posix.monotonic() < deadline do
    posix.sleep(0.2)
    if not pid_of(load(options)) then
      log.error("Kong stopped while waiting (unexpected)")
      return
    end
  end
  local _, pid = send_signal(options, posix.SIGQUIT)
  deadline = posix.monotonic() + math.max(options.timeout or 10, 1)
  while posix.running(pid) and posix.monotonic() < deadline do
    posix.sleep(0.1)
  end
  if posix.running(pid) then
    C.kill(pid, posix.SIGTERM)
    log("Timeout, Kong stopped forcefully")
    return
  end
  log("Kong stopped (gracefully)")
end

function node.commands.reload(options)
  local conf = load(options)
  if not pid_of(conf) then
    error("nginx not running in prefix: " .. conf.prefix, 0)
  end
  node.connector(options, true)
  send_signal(options, posix.SIGHUP)
  log("Kong reloaded")
end

function node.commands.health(options)
  local conf = load(options)
  local running = pid_of(conf) ~= nil
  log("nginx.......%s", running and "running" or "not running")
  log("")
  if not running then
    error("Kong is not running at " .. conf.prefix, 0)
  end
  log("Kong is healthy at %s", conf.prefix)
end

return node
