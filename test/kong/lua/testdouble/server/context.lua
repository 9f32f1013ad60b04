-- The request that the running coroutine serves.

local context = {}
local requests = setmetatable({}, { __mode = "k" })
local main_thread = {}

function context.enter(request)
  requests[coroutine.running() or main_thread] = request
end

function context.leave()
  requests[coroutine.running() or main_thread] = nil
end

function context.request()
  return requests[coroutine.running() or main_thread]
end

return context
