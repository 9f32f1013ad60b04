-- The connector that migrations receive and that the commands use. It has one connection at a time. Names and errors
-- are those of Kong's connector.

local libpq = require "testdouble.libpq"
local null = require "cjson".null

local Connector = { strategy = "PostgreSQL", description = "database" }
Connector.__index = Connector

function Connector.new(conf)
  return setmetatable({ conf = conf, database = conf.pg_database }, Connector)
end

-- Opens a new connection that is not shared.
function Connector:open()
  local conf = self.conf
  local connection, err = libpq.connect({
    host = conf.pg_host, port = conf.pg_port, user = conf.pg_user, password = conf.pg_password,
    dbname = conf.pg_database, application_name = "kong", sslmode = "disable",
    -- Kong's client does not print notices of PostgreSQL.
    options = "-c client_min_messages=error",
  }, conf.pg_seconds)
  if not connection then
    return nil, err
  end
  local schema = conf.pg_schema ~= "" and conf.pg_schema or "public"
  local ok
  ok, err = connection:query("SET SCHEMA " .. self:escape_literal(schema) .. "; SET TIME ZONE 'UTC';")
  if not ok then
    connection:close()
    return nil, err
  end
  return connection
end

-- Opens the connection that all later queries use until close.
function Connector:connect()
  if not self.held then
    local connection, err = self:open()
    if not connection then
      return nil, err
    end
    self.held = connection
  end
  return self.held
end

Connector.connect_migrations = Connector.connect

function Connector:close()
  if self.held then
    self.held:close()
    self.held = nil
  end
  return true
end

-- Runs SQL on the open connection. If there is none, it uses a new connection for this query only.
function Connector:query(sql)
  if self.held then
    local rows, more = self.held:query(sql)
    return rows, more
  end
  local connection, err = self:open()
  if not connection then
    return nil, err
  end
  local rows, more = connection:query(sql)
  connection:close()
  return rows, more
end

-- Iterates over the rows of a query, for teardowns of migrations. If the query fails, it returns false and the error
-- once.
function Connector:iterate(sql)
  local rows, err = self:query(sql)
  local i = 0
  return function()
    i = i + 1
    if rows then
      return rows[i]
    elseif i == 1 then
      return false, err
    end
  end
end

function Connector:escape_identifier(name)
  return '"' .. tostring(name):gsub('"', '""') .. '"'
end

function Connector:escape_literal(value)
  if value == nil or value == null then
    return "NULL"
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  elseif type(value) == "boolean" then
    return value and "TRUE" or "FALSE"
  end
  return "'" .. tostring(value):gsub("'", "''") .. "'"
end

function Connector:array(items)
  local escaped = {}
  for i, item in ipairs(items) do
    escaped[i] = self:escape_literal(item)
  end
  return "ARRAY[" .. table.concat(escaped, ", ") .. "]::TEXT[]"
end

-- Kong reads PostgreSQL's version first, so connection errors begin with these words.
function Connector:init()
  local rows, err = self:query("SHOW server_version_num;")
  if not rows then
    -- Kong's client has other words for these two (fact K42).
    if err:find("password authentication failed", 1, true) then
      err = "authentication exchange unsuccessful"
    elseif err:find("no password supplied", 1, true) then
      err = "missing password, required for connect"
    end
    return nil, "failed to retrieve PostgreSQL server_version_num: " .. err
  end
  return true
end

return Connector
