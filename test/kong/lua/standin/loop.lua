-- Coroutines that wait for descriptors: many requests at once in one process.
-- Outside of a coroutine, as in the commands, waiting simply blocks.

local ffi = require "ffi"
local posix = require "standin.posix"

local C = ffi.C
local loop = {}
local waiting = {}        -- coroutine -> { fd, events, till }
local ready = {}          -- { coroutine, answer }, to run at once
local capacity = 256
local fds = ffi.new("struct pollfd[?]", capacity)

local function resume(thread, answer)
  local ok, err = coroutine.resume(thread, answer)
  if not ok then
    io.stderr:write("[error] ", debug.traceback(thread, tostring(err)), "\n")
  end
end

function loop.spawn(f, ...)
  local arguments, count = { ... }, select("#", ...)
  ready[#ready + 1] = { coroutine.create(function() f(unpack(arguments, 1, count)) end) }
end

-- Waits until the descriptor has what is asked for ("r" or "w"); false after
-- the seconds, if given.
function loop.wait(fd, direction, seconds)
  local events = direction == "r" and posix.POLLIN or posix.POLLOUT
  local thread = coroutine.running()
  if not thread then
    return posix.poll(fd, events, seconds) ~= 0
  end
  waiting[thread] = { fd = fd, events = events, till = seconds and posix.monotonic() + seconds }
  return coroutine.yield()
end

function loop.sleep(seconds)
  local thread = coroutine.running()
  if not thread then
    return posix.sleep(seconds)
  end
  waiting[thread] = { fd = -1, events = 0, till = posix.monotonic() + seconds }
  coroutine.yield()
end

-- Parks the coroutine until someone wakes it; returns what they say.
function loop.park()
  return coroutine.yield()
end

function loop.wake(thread, answer)
  ready[#ready + 1] = { thread, answer }
end

local function run_ready()
  while #ready > 0 do
    local batch = ready
    ready = {}
    for _, entry in ipairs(batch) do
      resume(entry[1], entry[2])
    end
  end
end

local function gather()
  local threads, count, till = {}, 0, nil
  for thread, wait in pairs(waiting) do
    if count == capacity then
      local larger = ffi.new("struct pollfd[?]", capacity * 2)
      ffi.copy(larger, fds, ffi.sizeof("struct pollfd") * capacity)
      fds, capacity = larger, capacity * 2
    end
    fds[count].fd, fds[count].events, fds[count].revents = wait.fd, wait.events, 0
    threads[count] = thread
    count = count + 1
    if wait.till and (not till or wait.till < till) then
      till = wait.till
    end
  end
  return threads, count, till
end

-- Runs until the function says that it is over.
function loop.run(over)
  while true do
    run_ready()
    if over() then
      return
    end
    local threads, count, till = gather()
    local milliseconds = 1000
    if till then
      milliseconds = math.min(1000, math.max(0, math.ceil((till - posix.monotonic()) * 1000)))
    end
    C.poll(fds, count, milliseconds)
    -- All are looked at before any runs: one that runs may change the list.
    local now, awake = posix.monotonic(), {}
    for i = 0, count - 1 do
      local thread, wait = threads[i], waiting[threads[i]]
      if fds[i].revents ~= 0 then
        awake[#awake + 1] = { thread, true }
      elseif wait.till and now >= wait.till then
        awake[#awake + 1] = { thread, false }
      end
    end
    for _, entry in ipairs(awake) do
      waiting[entry[1]] = nil
    end
    for _, entry in ipairs(awake) do
      resume(entry[1], entry[2])
    end
  end
end

return loop
