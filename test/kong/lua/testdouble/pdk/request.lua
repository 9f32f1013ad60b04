-- kong.request: the request of the client.

local cjson = require "cjson"
local context = require "testdouble.server.context"
local form = require "testdouble.net.form"
local http = require "testdouble.net.http"

local request = {}

local function current()
  return assert(context.request(), "kong.request needs a request")
end

function request.get_method() return current().method end
function request.get_raw_path() return current().path end
function request.get_path() return form.unescape(current().path, true) end
function request.get_raw_query() return current().query end
function request.get_path_with_query() return current().target end
function request.get_scheme() return "http" end
function request.get_forwarded_scheme() return "http" end
function request.get_http_version() return 1.1 end
function request.get_port() return current().port end

function request.get_host()
  return ((current().headers:get("host") or ""):gsub(":%d+$", ""):lower())
end

-- As in Kong, lookups ignore the case, and a dash is equal to an underscore.
function request.get_header(name)
  return current().headers:get(name) or current().headers:get((name:gsub("_", "-")))
end

function request.get_headers()
  local all = {}
  for _, header in ipairs(current().headers) do
    local name = header[1]:lower()
    local before = all[name]
    if before == nil then
      all[name] = header[2]
    elseif type(before) == "table" then
      before[#before + 1] = header[2]
    else
      all[name] = { before, header[2] }
    end
  end
  return all
end

function request.get_query() return form.decode(current().query) end
function request.get_query_arg(name) return form.decode(current().query)[name] end

function request.get_raw_body()
  local now = current()
  if not now.read then
    now.read = http.read_all(now.body) or ""
    local sent = false
    now.body = function()
      if not sent and now.read ~= "" then
        sent = true
        return now.read
      end
    end
  end
  return now.read
end

function request.get_body()
  local text = request.get_raw_body()
  if (request.get_header("content-type") or ""):find("application/json", 1, true) then
    local ok, value = pcall(cjson.decode, text)
    if not ok then
      return nil, "invalid json body"
    end
    return value
  end
  return form.decode(text)
end

return request
