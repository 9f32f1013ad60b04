-- The master: opens the listeners, starts workers, replaces those that end, and
-- on SIGHUP starts new ones, with the files as they then are, before the old
-- ones end (K33).

local configuration = require "standin.configuration"
local ffi = require "ffi"
local logger = require "standin.server.logger"
local posix = require "standin.posix"
local report = require "standin.server.report"
local socket = require "standin.net.socket"

local C = ffi.C
local master = {}

local function open(conf)
  local listeners = {}
  for _, kind in ipairs { "proxy", "admin", "status" } do
    for _, each in ipairs(conf[kind .. "_listeners"]) do
      if each.ssl then
        logger.warn("no listener at ", each.address, ":", each.port, ": the stand-in speaks no TLS")
      else
        local fd, err, code = socket.listen(each.address, each.port)
        if fd then
          listeners[#listeners + 1] = { fd = fd, kind = kind, port = each.port }
        elseif code == 97 or code == 99 and each.address:find(":", 1, true) then
          logger.warn("no listener at ", each.address, ": this machine has no IPv6")
        else
          return nil, err
        end
      end
    end
  end
  return listeners
end

-- What the worker's process does, to its end.
local function work(self, from, to)
  C.close(from)
  local signals = posix.signals(posix.SIGTERM, posix.SIGQUIT, posix.SIGINT, posix.SIGHUP)
  local tell_master = report.to(to)
  local ok, code = xpcall(function()
    local conf, err = configuration.load { prefix = self.conf.prefix, running = true }
    if not conf then
      tell_master(err)
      return 1
    end
    return require("standin.server.worker").run(conf, self.listeners, signals, tell_master)
  end, debug.traceback)
  if not ok then
    io.stderr:write("[emerg] ", tostring(code), "\n")
  end
  io.stdout:flush()
  C._exit(ok and code or 1)
end

-- Starts a worker; waits until it serves. Returns its process, or its error.
local function start(self)
  local from, to = report.pipe()
  io.stdout:flush()
  local pid = C.fork()
  if pid == 0 then
    work(self, from, to)
  end
  local ok, err = report.wait(from, to)
  if not ok then
    C.waitpid(pid, nil, 0)
    return nil, err
  end
  self.workers[pid] = true
  return pid
end

local function start_all(self)
  for _ = 1, self.count do
    local pid, err = start(self)
    if not pid then
      return nil, err
    end
  end
  return true
end

local function tell(pids, signal)
  for pid in pairs(pids) do
    C.kill(pid, signal)
  end
end

-- New workers beside the old ones; those end only when the new ones serve.
local function reload(self)
  local old = self.workers
  self.workers = {}
  local ok, err = start_all(self)
  if not ok then
    logger.error("reload failed, the old workers stay: ", err)
    tell(self.workers, posix.SIGQUIT)
    for pid in pairs(self.workers) do
      self.leaving[pid] = true
    end
    self.workers = old
    return
  end
  tell(old, posix.SIGQUIT)
  for pid in pairs(old) do
    self.leaving[pid] = true
  end
end

-- Collects workers that have ended; one that was not told to is replaced.
local function reap(self)
  local status = ffi.new("int[1]")
  while true do
    local pid = C.waitpid(-1, status, posix.WNOHANG)
    if pid <= 0 then
      return
    end
    self.leaving[pid] = nil
    if self.workers[pid] then
      self.workers[pid] = nil
      if not self.ending then
        logger.alert("worker process ", pid, " exited with status ", status[0])
        self.missing = (self.missing or 0) + 1
      end
    end
  end
end

local function replace(self)
  while (self.missing or 0) > 0 and not self.ending do
    local pid, err = start(self)
    if not pid then
      logger.error("no worker in place of the one that ended: ", err)
      posix.sleep(1)
      return
    end
    self.missing = self.missing - 1
  end
end

local function stop(self)
  if not self.ending then
    self.ending = true
    tell(self.workers, posix.SIGQUIT)
    for _, listener in ipairs(self.listeners) do
      C.close(listener.fd)
    end
  end
end

local function obey(self, signals)
  while not (self.ending and next(self.workers) == nil and next(self.leaving) == nil) do
    posix.poll(signals, posix.POLLIN, 1)
    local signal = posix.next_signal(signals)
    while signal do
      if signal == posix.SIGHUP then
        reload(self)
      elseif signal == posix.SIGTERM or signal == posix.SIGQUIT or signal == posix.SIGINT then
        stop(self)
      end
      signal = posix.next_signal(signals)
    end
    reap(self)
    replace(self)
  end
end

-- Runs a node until it is told to stop. tell_starter is called once, with nil when
-- it serves and with an error when it cannot.
function master.run(conf, tell_starter)
  logger.set_level(conf.log_level)
  require("standin.server.declared").forget(conf)
  local signals = posix.signals(posix.SIGTERM, posix.SIGQUIT, posix.SIGINT, posix.SIGHUP, posix.SIGCHLD, posix.SIGPIPE)
  local listeners, err = open(conf)
  if not listeners then
    tell_starter("nginx: [emerg] " .. err)
    return 1
  end
  local count = tonumber(conf.nginx_worker_processes) or 2
  local self = { conf = conf, listeners = listeners, workers = {}, leaving = {}, count = math.min(count, 4) }
  local ok
  ok, err = start_all(self)
  if not ok then
    tell(self.workers, posix.SIGKILL)
    tell_starter("nginx: [error] init_by_lua error: " .. err)
    return 1
  end
  local file
  file, err = io.open(conf.pid_file, "w")
  if not file then
    tell(self.workers, posix.SIGKILL)
    tell_starter("cannot write " .. err)
    return 1
  end
  file:write(C.getpid(), "\n")
  file:close()
  tell_starter(nil)
  obey(self, signals)
  os.remove(conf.pid_file)
  return 0
end

return master
