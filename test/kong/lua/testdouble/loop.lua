-- A scheduler for coroutines that wait for file descriptors. So one process serves many requests concurrently. Outside
-- of a coroutine, waiting blocks the process.

local ffi = require "ffi"
local posix = require "testdouble.posix"

local C = ffi.C
local loop = {}
local waiting = {}        -- coroutine -> { fd, events, deadline }
local ready = {}          -- { coroutine, result } to resume in the next iteration
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

-- Waits until the descriptor is readable ("r") or writable ("w"). Returns false after the timeout in seconds, if there
-- is one.
function loop.wait(fd, direction, seconds)
  local events = direction == "r" and posix.POLLIN or posix.POLLOUT
  local thread = coroutine.running()
  if not thread then
    return posix.poll(fd, events, seconds) ~= 0
  end
  waiting[thread] = { fd = fd, events = events, deadline = seconds and posix.monotonic() + seconds }
  return coroutine.yield()
end

function loop.sleep(seconds)
  local thread = coroutine.running()
  if not thread then
    return posix.sleep(seconds)
  end
  waiting[thread] = { fd = -1, events = 0, deadline = posix.monotonic() + seconds }
  coroutine.yield()
end

-- Suspends the coroutine until wake is called. Returns the value of wake.
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
  local threads, count, deadline = {}, 0, nil
  for thread, wait in pairs(waiting) do
    if count == capacity then
      local larger = ffi.new("struct pollfd[?]", capacity * 2)
      ffi.copy(larger, fds, ffi.sizeof("struct pollfd") * capacity)
      fds, capacity = larger, capacity * 2
    end
    fds[count].fd, fds[count].events, fds[count].revents = wait.fd, wait.events, 0
    threads[count] = thread
    count = count + 1
    if wait.deadline and (not deadline or wait.deadline < deadline) then
      deadline = wait.deadline
    end
  end
  return threads, count, deadline
end

-- Runs coroutines until the function is_finished returns true.
function loop.run(is_finished)
  while true do
    run_ready()
    if is_finished() then
      return
    end
    local threads, count, deadline = gather()
    local milliseconds = 1000
    if deadline then
      milliseconds = math.min(1000, math.max(0, math.ceil((deadline - posix.monotonic()) * 1000)))
    end
    C.poll(fds, count, milliseconds)
    -- First collect all coroutines, because a resumed coroutine may change the table.
    local now, awake = posix.monotonic(), {}
    for i = 0, count - 1 do
      local thread, wait = threads[i], waiting[threads[i]]
      if fds[i].revents ~= 0 then
        awake[#awake + 1] = { thread, true }
      elseif wait.deadline and now >= wait.deadline then
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
