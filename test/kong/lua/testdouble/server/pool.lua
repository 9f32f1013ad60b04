-- The connections of a worker to PostgreSQL. There is one for each concurrent query, up to a limit. Further queries
-- wait. A connection that PostgreSQL has closed is replaced, so a restart of PostgreSQL needs no restart of the node.

local Connector = require "testdouble.connector"
local loop = require "testdouble.loop"

local Pool = {}
Pool.__index = Pool

local limit = 16

function Pool.new(conf)
  return setmetatable({ connector = Connector.new(conf), idle = {}, open = 0, queue = {}, strategy = "postgres" }, Pool)
end

local function acquire(self)
  while #self.idle > 0 do
    local connection = table.remove(self.idle)
    if connection:alive() then
      return connection
    end
    connection:close()
    self.open = self.open - 1
  end
  if self.open >= limit then
    self.queue[#self.queue + 1] = coroutine.running()
    local handed = loop.park()
    if handed then
      return handed
    end
    return acquire(self)
  end
  self.open = self.open + 1
  local connection, err = self.connector:open()
  if not connection then
    self.open = self.open - 1
    local next_one = table.remove(self.queue, 1)
    if next_one then
      loop.wake(next_one)
    end
    return nil, err
  end
  return connection
end

local function release(self, connection)
  local next_one = table.remove(self.queue, 1)
  if connection.conn then
    if next_one then
      return loop.wake(next_one, connection)
    end
    self.idle[#self.idle + 1] = connection
    return
  end
  self.open = self.open - 1
  if next_one then
    loop.wake(next_one)
  end
end

function Pool:query(sql)
  local connection, err = acquire(self)
  if not connection then
    return nil, err
  end
  local rows, more = connection:query(sql)
  release(self, connection)
  return rows, more
end

function Pool:escape_literal(value) return self.connector:escape_literal(value) end
function Pool:escape_identifier(name) return self.connector:escape_identifier(name) end

return Pool
