-- The program kong. It parses the command line, runs a command and exits with the exit code of Kong. All errors begin
-- with "Error: ".

local log = require "testdouble.log"

local flags = {
  ["-c"] = "conf", ["--conf"] = "conf", ["-p"] = "prefix", ["--prefix"] = "prefix",
  ["--db-timeout"] = "db_timeout", ["--lock-timeout"] = "lock_timeout", ["--nginx-conf"] = "nginx_conf",
  ["--nginx-conf-flags"] = "nginx_conf_flags", ["-w"] = "wait", ["--wait"] = "wait",
  ["-t"] = "timeout", ["--timeout"] = "timeout",
}
local switches = {
  ["-y"] = "yes", ["--yes"] = "yes", ["-q"] = "quiet", ["--quiet"] = "quiet", ["-f"] = "force", ["--force"] = "force",
  ["--v"] = "verbose", ["--vv"] = "debug", ["--run-migrations"] = "run_migrations", ["-a"] = "all", ["--all"] = "all",
}
local numbers = { db_timeout = true, lock_timeout = true, wait = true, timeout = true }

local function usage(text)
  io.stderr:write("kong: ", text, "\n")
  os.exit(1)
end

local function set(options, flag, value)
  local name = flags[flag]
  if numbers[name] then
    value = tonumber(value) or usage("parameter '" .. flag .. "' is not a number: " .. tostring(value))
  end
  options[name] = value
end

local function parse(words)
  local options, rest, i = {}, {}, 1
  while i <= #words do
    local word = words[i]
    local flag, value = word:match("^(%-%-[%w%-]+)=(.*)$")
    if switches[word] then
      options[switches[word]] = true
    elseif flag and flags[flag] then
      set(options, flag, value)
    elseif flags[word] then
      i = i + 1
      set(options, word, words[i] or usage("parameter '" .. word .. "' needs a value"))
    elseif word:sub(1, 1) == "-" then
      usage("unknown parameter " .. word)
    else
      rest[#rest + 1] = word
    end
    i = i + 1
  end
  return options, rest
end

-- The command "migrations up" is commands.up of testdouble.migrations.commands.
local migrations = { bootstrap = true, list = true, up = true, finish = true, reset = true, status = true }

local function run_migrations(options, words)
  local command = words[1]
  if not command or not migrations[command] then
    usage(command and "No such command for migrations: " .. command or "missing command of migrations")
  end
  local node = require "testdouble.node"
  options.lock_timeout = options.lock_timeout or 60
  return require("testdouble.migrations.commands")[command](node.connector(options), options)
end

local function run(words)
  local options, rest = parse(words)
  local name = table.remove(rest, 1)
  local lists = name == "migrations" and rest[1] == "list" -- it prints with -q, too
  log.level(options.quiet and not lists and "quiet" or options.debug and "debug" or options.verbose and "verbose"
    or "info")
  if name == "migrations" then
    return run_migrations(options, rest)
  elseif name == "version" then
    print(options.all and "Kong: 3.9.1\nLua: " .. jit.version or "3.9.1")
    return 0
  end
  local command = name and require("testdouble.node").commands[name]
  if not command then
    usage(name and "No such command: " .. name or "missing command: use start, stop, quit, reload, health, prepare, "
      .. "migrations, version")
  end
  return command(options) or 0
end

local ok, code = xpcall(run, function(err)
  err = tostring(err)
  if err:sub(1, 9) ~= "exit code" then
    return err
  end
end, arg)

io.stdout:flush()
if not ok then
  io.stderr:write("Error: ", tostring(code), "\n\n  Run with --v (verbose) or --vv (debug) for more details\n")
  os.exit(1)
end
os.exit(code)
