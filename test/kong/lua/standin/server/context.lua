-- Which request the running coroutine serves.

local context = {}
local requests = setmetatable({}, { __mode = "k" })
local nobody = {}

function context.enter(request)
  requests[coroutine.running() or nobody] = request
end

function context.leave()
  requests[coroutine.running() or nobody] = nil
end

function context.request()
  return requests[coroutine.running() or nobody]
end

return context
