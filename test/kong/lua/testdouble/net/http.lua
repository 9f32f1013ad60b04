-- HTTP/1.1 messages on a stream, for clients and servers.

local http = {}

local reasons = {
  [200] = "OK", [201] = "Created", [204] = "No Content", [301] = "Moved Permanently", [302] = "Moved Temporarily",
  [304] = "Not Modified", [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Not Allowed", [409] = "Conflict", [415] = "Unsupported Media Type", [500] = "Internal Server Error",
  [502] = "Bad Gateway", [503] = "Service Temporarily Unavailable", [504] = "Gateway Time-out",
}

-- Headers keep their order and case. Lookups ignore the case.
local Headers = {}
Headers.__index = Headers

function http.headers()
  return setmetatable({}, Headers)
end

function Headers:get(name)
  name = name:lower()
  for _, header in ipairs(self) do
    if header[1]:lower() == name then
      return header[2]
    end
  end
  return nil
end

function Headers:add(name, value)
  self[#self + 1] = { name, tostring(value) }
end

function Headers:remove(name)
  name = name:lower()
  for i = #self, 1, -1 do
    if self[i][1]:lower() == name then
      table.remove(self, i)
    end
  end
end

function Headers:set(name, value)
  self:remove(name)
  for _, each in ipairs(type(value) == "table" and value or { value }) do
    self:add(name, each)
  end
end

-- Headers that belong to a single connection.
function Headers:remove_hops()
  for name in (self:get("connection") or ""):gmatch("[^,%s]+") do
    self:remove(name)
  end
  for _, name in ipairs {
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
  } do
    self:remove(name)
  end
end

function Headers:text()
  local lines = {}
  for i, header in ipairs(self) do
    lines[i] = header[1] .. ": " .. header[2] .. "\r\n"
  end
  return table.concat(lines)
end

local function read_headers(stream, seconds)
  local headers = http.headers()
  while true do
    local line, err = stream:line(seconds)
    if not line then
      return nil, err
    elseif line == "" then
      return headers
    end
    local name, value = line:match("^([^%s:]+):%s*(.-)%s*$")
    if not name then
      return nil, "malformed header"
    end
    headers:add(name, value)
  end
end

local function chunks(stream, seconds)
  local left, over = 0, false
  return function()
    if over then
      return nil
    end
    if left == 0 then
      local line, err = stream:line(seconds)
      left = line and tonumber(line:match("^%x+"), 16)
      if not left then
        return nil, err or "malformed chunk"
      elseif left == 0 then
        over = true
        repeat
          line, err = stream:line(seconds)
        until not line or line == ""
        return nil, err
      end
    end
    local part, err = stream:some(left, seconds)
    if not part then
      return nil, err
    end
    left = left - #part
    if left == 0 then
      stream:line(seconds)
    end
    return part
  end
end

local function counted(stream, left, seconds)
  return function()
    if left == 0 then
      return nil
    end
    local part, err = stream:some(left, seconds)
    left = part and left - #part or left
    return part, err
  end
end

local function until_closed(stream, seconds)
  return function()
    local part, err = stream:some(65536, seconds)
    return part, err ~= "closed" and err or nil
  end
end

local function empty() end

-- Returns a function that returns the body in parts, and then nil.
local function body_of(stream, headers, seconds, otherwise)
  if (headers:get("transfer-encoding") or ""):lower():find("chunked", 1, true) then
    return chunks(stream, seconds)
  end
  local length = tonumber(headers:get("content-length"))
  if length then
    return counted(stream, length, seconds)
  end
  return otherwise
end

function http.read_all(body)
  local parts = {}
  while true do
    local part, err = body()
    if not part then
      return not err and table.concat(parts) or nil, err
    end
    parts[#parts + 1] = part
  end
end

function http.read_request(stream, seconds)
  local line, err = stream:line(seconds)
  if not line then
    return nil, err
  end
  local method, target, version = line:match("^(%u+) (%S+) HTTP/(1%.[01])$")
  if not method then
    return nil, "malformed"
  end
  local request = { method = method, target = target:gsub("^%a+://[^/]*", "") }
  request.headers, err = read_headers(stream, seconds)
  if not request.headers then
    return nil, err
  end
  request.path, request.query = request.target:match("^([^?]*)%??(.*)$")
  local connection = (request.headers:get("connection") or ""):lower()
  request.keep_alive = version == "1.1" and not connection:find("close", 1, true)
    or connection:find("keep-alive", 1, true) ~= nil
  request.chunked_allowed = version == "1.1"
  request.body = body_of(stream, request.headers, seconds, empty)
  if (request.headers:get("expect") or ""):lower() == "100-continue" then
    stream:write("HTTP/1.1 100 Continue\r\n\r\n")
  end
  return request
end

function http.read_response(stream, method, seconds)
  while true do
    local line, err = stream:line(seconds)
    if not line then
      return nil, err
    end
    local status = tonumber(line:match("^HTTP/1%.[01] (%d%d%d)"))
    if not status then
      return nil, "malformed"
    end
    local headers
    headers, err = read_headers(stream, seconds)
    if not headers then
      return nil, err
    end
    if status >= 200 then
      local none = method == "HEAD" or status == 204 or status == 304
      return {
        status = status, headers = headers,
        body = none and empty or body_of(stream, headers, seconds, until_closed(stream, seconds)),
      }
    end
  end
end

-- Sends a response. The body is a text, or a function that returns its parts. Returns false if the connection cannot be
-- used again.
function http.respond(stream, request, response)
  local headers, body, keep = response.headers, response.body or "", request.keep_alive
  local chunked = false
  if type(body) == "string" then
    if response.status ~= 204 and response.status ~= 304 then
      headers:set("Content-Length", #body)
    end
  elseif not headers:get("content-length") and request.method ~= "HEAD" and response.status ~= 204
    and response.status ~= 304 then
    chunked = request.chunked_allowed
    keep = keep and chunked
    if chunked then
      headers:set("Transfer-Encoding", "chunked")
    end
  end
  headers:set("Connection", keep and "keep-alive" or "close")
  local status_line = ("HTTP/1.1 %d %s\r\n"):format(response.status, reasons[response.status] or "Status")
  local head = status_line .. headers:text() .. "\r\n"
  if type(body) == "string" then
    return stream:write(request.method == "HEAD" and head or head .. body) and keep
  end
  local ok = stream:write(head)
  while ok do
    local part, err = body()
    if err then
      return false
    elseif not part then
      break
    end
    ok = stream:write(chunked and ("%x\r\n%s\r\n"):format(#part, part) or part)
  end
  return ok and (not chunked or stream:write("0\r\n\r\n")) and keep
end

return http
