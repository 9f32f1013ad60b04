-- The master process. It opens the listeners, starts workers and replaces those that end. On SIGHUP it starts new
-- workers with the current files before it ends the old ones, so kong reload uses changed files (fact K33).

local configuration = require "testdouble.configuration"
local ffi = require "ffi"
local logger = require "testdouble.server.logger"
local posix = require "testdouble.posix"
local report = require "testdouble.server.report"
local socket = require "testdouble.net.socket"

local C = ffi.C
local master = {}

local function open(conf)
  local listeners = {}
  for _, kind in ipairs { "proxy", "admin", "status" } do
    for _, each in ipairs(conf[kind .. "_listeners"]) do
      if each.ssl then
        logger.warn("no listener at ", each.address, ":", each.port, ": the test double does not support TLS")
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

-- Runs a worker in the current process. Does not return.
local function work(self, from, to)
  C.close(from)
  local signals = posix.signals(posix.SIGTERM, posix.SIGQUIT, posix.SIGINT, posix.SIGHUP)
  local report_started = report.to(to)
  local ok, code = xpcall(function()
    local conf, err = configuration.load { prefix = self.conf.prefix, running = true }
    if not conf then
      report_started(err)
      return 1
    end
    return require("testdouble.server.worker").run(conf, self.listeners, signals, report_started)
  end, debug.traceback)
  if not ok then
    io.stderr:write("[emerg] ", tostring(code), "\n")
  end
  io.stdout:flush()
  C._exit(ok and code or 1)
end

-- Starts a worker and waits until it serves requests. Returns its process ID, or nil and an error.
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

local function signal_all(pids, signal)
  for pid in pairs(pids) do
    C.kill(pid, signal)
  end
end

-- Starts new workers, and ends the old ones when the new ones serve requests.
local function reload(self)
  local old = self.workers
  self.workers = {}
  local ok, err = start_all(self)
  if not ok then
    logger.error("reload failed, keeping the old workers: ", err)
    signal_all(self.workers, posix.SIGQUIT)
    for pid in pairs(self.workers) do
      self.leaving[pid] = true
    end
    self.workers = old
    return
  end
  signal_all(old, posix.SIGQUIT)
  for pid in pairs(old) do
    self.leaving[pid] = true
  end
end

-- Collects ended workers. replace starts new ones for those that have ended unexpectedly.
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
      logger.error("cannot replace an ended worker: ", err)
      posix.sleep(1)
      return
    end
    self.missing = self.missing - 1
  end
end

local function stop(self)
  if not self.ending then
    self.ending = true
    signal_all(self.workers, posix.SIGQUIT)
    for _, listener in ipairs(self.listeners) do
      C.close(listener.fd)
    end
  end
end

local function handle_signals(self, signals)
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

-- Runs a node until a signal stops it. Calls report_started once, with nil when the node serves requests or with an
-- error.
function master.run(conf, report_started)
  logger.set_level(conf.log_level)
  require("testdouble.server.declared").delete(conf)
  local signals = posix.signals(posix.SIGTERM, posix.SIGQUIT, posix.SIGINT, posix.SIGHUP, posix.SIGCHLD, posix.SIGPIPE)
  local listeners, err = open(conf)
  if not listeners then
    report_started("nginx: [emerg] " .. err)
    return 1
  end
  local count = tonumber(conf.nginx_worker_processes) or 2
  local self = { conf = conf, listeners = listeners, workers = {}, leaving = {}, count = math.min(count, 4) }
  local ok
  ok, err = start_all(self)
  if not ok then
    signal_all(self.workers, posix.SIGKILL)
    report_started("nginx: [error] init_by_lua error: " .. err)
    return 1
  end
  local file
  file, err = io.open(conf.pid_file, "w")
  if not file then
    signal_all(self.workers, posix.SIGKILL)
    report_started("cannot write " .. err)
    return 1
  end
  file:write(C.getpid(), "\n")
  file:close()
  report_started(nil)
  handle_signals(self, signals)
  os.remove(conf.pid_file)
  return 0
end

return master
