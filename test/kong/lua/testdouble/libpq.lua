-- Connections to PostgreSQL with libpq's asynchronous functions. If the client gives up a statement, the server
-- completes it (fact K14). Error texts are those of Kong's client.

local ffi = require "ffi"
local loop = require "testdouble.loop"
local posix = require "testdouble.posix"

ffi.cdef [[
  typedef struct pg_conn PGconn;
  typedef struct pg_result PGresult;
  PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand);
  int PQconnectPoll(PGconn *conn);
  int PQstatus(const PGconn *conn);
  int PQsocket(const PGconn *conn);
  char *PQerrorMessage(const PGconn *conn);
  void PQfinish(PGconn *conn);
  int PQsetnonblocking(PGconn *conn, int nonblocking);
  int PQsendQuery(PGconn *conn, const char *query);
  int PQflush(PGconn *conn);
  int PQconsumeInput(PGconn *conn);
  int PQisBusy(PGconn *conn);
  PGresult *PQgetResult(PGconn *conn);
  int PQresultStatus(const PGresult *res);
  char *PQresultErrorField(const PGresult *res, int field);
  char *PQresultErrorMessage(const PGresult *res);
  int PQntuples(const PGresult *res);
  int PQnfields(const PGresult *res);
  char *PQfname(const PGresult *res, int column);
  unsigned int PQftype(const PGresult *res, int column);
  int PQgetisnull(const PGresult *res, int row, int column);
  char *PQgetvalue(const PGresult *res, int row, int column);
  int PQgetlength(const PGresult *res, int row, int column);
  char *PQcmdTuples(PGresult *res);
  void PQclear(PGresult *res);
]]

local pq = ffi.load("libpq.so.5")
local null = require "cjson".null
local Connection = {}
Connection.__index = Connection

-- Converts errors of libpq to the texts that Kong's commands print.
local function connect_error(text)
  if text:find("Connection refused", 1, true) then
    return "connection refused"
  elseif text:find("could not translate host name", 1, true) then
    return "host or service not provided, or not known"
  elseif text:find("No route to host", 1, true) then
    return "no route to host"
  end
  return text:match("(FATAL:%s+[^\n]+)") and text:match("(FATAL:%s+[^\n]+)"):gsub("FATAL:%s+", "FATAL: ")
    or (text:gsub("%s+$", ""))
end

-- Connects with a table of libpq's parameters. Fails after the timeout.
local function connect(parameters, seconds)
  local count = 0
  for _ in pairs(parameters) do
    count = count + 1
  end
  local keywords, values = ffi.new("const char *[?]", count + 1), ffi.new("const char *[?]", count + 1)
  local keep, i = {}, 0
  for keyword, value in pairs(parameters) do
    value = tostring(value)
    keywords[i], values[i] = keyword, value
    keep[#keep + 1], i = value, i + 1
  end
  local deadline = posix.monotonic() + seconds
  local conn = pq.PQconnectStartParams(keywords, values, 0)
  local state = pq.PQstatus(conn) == 1 and 0 or 2
  while state ~= 3 do
    if state == 0 then
      local err = connect_error(ffi.string(pq.PQerrorMessage(conn)))
      pq.PQfinish(conn)
      return nil, err
    end
    -- State 1: wait until the socket is readable. State 2: wait until it is writable.
    if not loop.wait(pq.PQsocket(conn), state == 1 and "r" or "w", deadline - posix.monotonic()) then
      pq.PQfinish(conn)
      return nil, "timeout"
    end
    state = pq.PQconnectPoll(conn)
  end
  pq.PQsetnonblocking(conn, 1)
  return setmetatable({ conn = conn, seconds = seconds }, Connection)
end

local function field(result, code)
  local value = pq.PQresultErrorField(result, code:byte())
  return value ~= nil and ffi.string(value) or nil
end

-- Formats an error as Kong's client does, for example: ERROR: relation "x" does not exist (15)
local function query_error(result)
  local message = field(result, "M")
  if not message then
    return "receive_message: failed to get type: closed"
  end
  local text = (field(result, "S") or "ERROR") .. ": " .. message
  local position, detail = field(result, "P"), field(result, "D")
  text = position and text .. " (" .. position .. ")" or text
  return detail and text .. "\n" .. detail or text
end

local function array(text)
  local items, i = {}, 2
  while i < #text do
    local item
    if text:sub(i, i) == '"' then
      local parts = {}
      i = i + 1
      while text:sub(i, i) ~= '"' do
        if text:sub(i, i) == "\\" then
          i = i + 1
        end
        parts[#parts + 1] = text:sub(i, i)
        i = i + 1
      end
      item, i = table.concat(parts), i + 1
    else
      item = text:match("^[^,}]*", i)
      i = i + #item
    end
    items[#items + 1] = item
    i = i + 1
  end
  return items
end

local number = function(text) return tonumber(text) end
local json = function(text) return require "cjson".decode(text) end
-- Decoders by the object ID of PostgreSQL's types.
local decoders = {
  [16] = function(text) return text == "t" end, [20] = number, [21] = number, [23] = number,
  [700] = number, [701] = number, [1700] = number, [114] = json, [3802] = json,
  [1009] = array, [1015] = array, [2951] = array,
}

local function rows_of(result)
  local rows, columns = {}, pq.PQnfields(result)
  for row = 0, pq.PQntuples(result) - 1 do
    local record = {}
    for column = 0, columns - 1 do
      local name = ffi.string(pq.PQfname(result, column))
      if pq.PQgetisnull(result, row, column) == 1 then
        record[name] = null
      else
        local text = ffi.string(pq.PQgetvalue(result, row, column), pq.PQgetlength(result, row, column))
        local decode = decoders[pq.PQftype(result, column)]
        record[name] = decode and decode(text) or (not decode and text)
      end
    end
    rows[row + 1] = record
  end
  return rows
end

-- Reads all results of a query. Returns the rows of the last result, or nil and the first error.
local function results_of(self, deadline)
  local conn, rows, err, fatal, affected = self.conn, nil, nil, nil, {}
  while true do
    while pq.PQisBusy(conn) == 1 do
      if not loop.wait(pq.PQsocket(conn), "r", deadline - posix.monotonic()) then
        return nil, "receive_message: failed to get type: timeout", true
      end
      if pq.PQconsumeInput(conn) == 0 then
        -- The last message of the server is read as a result.
        break
      end
    end
    local result = pq.PQgetResult(conn)
    if result == nil then
      break
    end
    local status = pq.PQresultStatus(result)
    if status == 7 and not err then -- PGRES_FATAL_ERROR
      err = query_error(result)
      fatal = pq.PQstatus(conn) ~= 0
    elseif status == 2 then -- PGRES_TUPLES_OK
      rows = rows_of(result)
    end
    affected[#affected + 1] = tonumber(ffi.string(pq.PQcmdTuples(result))) or 0
    pq.PQclear(result)
  end
  if err then
    return nil, err, fatal
  end
  return rows or {}, affected
end

-- Runs one or more SQL statements. Returns the rows of the last statement that returns rows, and the number of affected
-- rows of each statement. On an error, it returns nil and the error. After a timeout it closes the connection, because
-- the server may still respond.
function Connection:query(sql, seconds)
  if not self.conn then
    return nil, "closed"
  end
  local deadline = posix.monotonic() + (seconds or self.seconds)
  if pq.PQsendQuery(self.conn, sql) == 0 then
    self:close()
    return nil, "closed"
  end
  while pq.PQflush(self.conn) == 1 do
    if not loop.wait(pq.PQsocket(self.conn), "w", deadline - posix.monotonic()) then
      self:close()
      return nil, "timeout"
    end
    pq.PQconsumeInput(self.conn)
  end
  local rows, more, broken = results_of(self, deadline)
  if broken then
    self:close()
  end
  return rows, more
end

-- Reports whether the connection works, without a request to the server.
function Connection:alive()
  if not self.conn then
    return false
  end
  if posix.poll(pq.PQsocket(self.conn), posix.POLLIN, 0) ~= 0 then
    if pq.PQconsumeInput(self.conn) == 0 or pq.PQstatus(self.conn) ~= 0 then
      return false
    end
  end
  return true
end

function Connection:close()
  if self.conn then
    pq.PQfinish(self.conn)
    self.conn = nil
  end
end

return { connect = connect }
