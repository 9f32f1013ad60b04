-- kong.response: the response to the client.

local cjson = require "cjson"
local context = require "testdouble.server.context"
local http = require "testdouble.net.http"

local response = {}

local function current()
  return assert(context.request(), "kong.response needs a request")
end

-- Before there is a response, headers are stored for it in request.early.
local function headers()
  local request = current()
  return request.response and request.response.headers or request.early
end

function response.set_header(name, value) headers():set(name, value) end
function response.add_header(name, value) headers():add(name, value) end
function response.clear_header(name) headers():remove(name) end
function response.get_header(name) return headers():get(name) end
function response.set_headers(list)
  for name, value in pairs(list) do
    headers():set(name, value)
  end
end

function response.get_status()
  local answer = current().response
  return answer and answer.status or 200
end

function response.set_status(status)
  if current().response then
    current().response.status = status
  end
end

function response.get_source()
  return current().exited and "exit" or "service"
end

-- Creates a response of Kong itself. A message in the body gets the ID of the request.
function response.make(request, status, body, list)
  local answer = { status = status, headers = http.headers(), body = "" }
  if type(body) == "table" then
    if body.message and not body.request_id and status >= 400 and request.proxied then
      body.request_id = request.id
    end
    answer.body = cjson.encode(body)
    answer.headers:set("Content-Type", "application/json; charset=utf-8")
  elseif body ~= nil then
    answer.body = tostring(body)
  end
  for name, value in pairs(list or {}) do
    answer.headers:set(name, value)
  end
  answer.headers:set("Server", "kong/3.9.1")
  return answer
end

-- Ends the request. No later code of the plugin runs.
function response.exit(status, body, list)
  local request = current()
  request.exited = true
  error({ exit = response.make(request, status, body, list) }, 0)
end

function response.error(status, message, list)
  return response.exit(status, { message = message or "An unexpected error occurred" }, list)
end

return response
