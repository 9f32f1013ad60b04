-- The output of commands. Messages are plain lines on stdout. Warnings have a time and a level, and so do all messages
-- with --v or --vv. If stdout is a file, the messages are there when the command ends, as on a real Kong.

local levels = { debug = 1, verbose = 2, info = 3, warn = 4, error = 5, quiet = 6 }
local threshold = levels.info
local log = {}

function log.level(name)
  threshold = levels[name]
end

local function write(level, format, ...)
  if levels[level] < threshold then
    return
  end
  local text = select("#", ...) > 0 and format:format(...) or format
  if threshold < levels.info or levels[level] >= levels.warn then
    text = os.date("%Y/%m/%d %H:%M:%S") .. " [" .. level .. "] " .. text
  end
  local stream = levels[level] < levels.warn and io.stdout or io.stderr
  stream:write(text, "\n")
end

for level in pairs(levels) do
  log[level] = function(...) return write(level, ...) end
end

return setmetatable(log, { __call = function(_, ...) return write("info", ...) end })
