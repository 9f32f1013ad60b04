-- The connections of a worker to PostgreSQL: as many as there are queries at
-- once, up to a limit at which queries wait. One that PostgreSQL has closed is
-- replaced before it is used, so that nothing needs to be restarted after
-- PostgreSQL was away.

local Connector = require "standin.connector"
local loop = require "standin.loop"

local Pool = {}
Pool.__index = Pool

local limit = 16

function Pool.new(conf)
  return setmetatable({ connector = Connector.new(conf), idle = {}, open = 0, queue = {}, strategy = "postgres" }, Pool)
end

local function take(self)
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
    return take(self)
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

local function give(self, connection)
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
  local connection, err = take(self)
  if not connection then
    return nil, err
  end
  local rows, more = connection:query(sql)
  give(self, connection)
  return rows, more
end

function Pool:escape_literal(value) return self.connector:escape_literal(value) end
function Pool:escape_identifier(name) return self.connector:escape_identifier(name) end

return Pool
