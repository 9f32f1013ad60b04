-- The names of the migrations that are bundled with Kong 3.9.1, without Kong's SQL. The first one of core creates the
-- tables of the test double. A star marks a migration with a teardown. It is pending after up (fact K11). An
-- interrupted bootstrap also leaves these migrations pending (fact K31).

local names = {
  { "core", [[
    000_base 003_100_to_110 004_110_to_120 005_120_to_130* 006_130_to_140 007_140_to_150 008_150_to_200*
    009_200_to_210* 010_210_to_211 011_212_to_213 012_213_to_220* 013_220_to_230 014_230_to_270 015_270_to_280
    016_280_to_300* 017_300_to_310 018_310_to_320 019_320_to_330 020_330_to_340 021_340_to_350 022_350_to_360
    023_360_to_370 024_380_to_390 ]] },
  { "acl", "000_base_acl 002_130_to_140 003_200_to_210* 004_212_to_213*" },
  { "acme", "000_base_acme 001_280_to_300 002_320_to_330 003_350_to_360*" },
  { "ai-proxy", "001_360_to_370*" },
  { "basic-auth", "000_base_basic_auth 002_130_to_140 003_200_to_210" },
  { "bot-detection", "001_200_to_210*" },
  { "hmac-auth", "000_base_hmac_auth 002_130_to_140 003_200_to_210" },
  { "http-log", "001_280_to_300*" },
  { "ip-restriction", "001_200_to_210*" },
  { "jwt", "000_base_jwt 002_130_to_140 003_200_to_210" },
  { "key-auth", "000_base_key_auth 002_130_to_140 003_200_to_210 004_320_to_330" },
  { "oauth2", [[
    000_base_oauth2 003_130_to_140 004_200_to_210* 005_210_to_211 006_320_to_330 007_320_to_330 ]] },
  { "opentelemetry", "001_331_to_332*" },
  { "post-function", "001_280_to_300*" },
  { "pre-function", "001_280_to_300*" },
  { "rate-limiting", "000_base_rate_limiting 003_10_to_112 004_200_to_210 005_320_to_330 006_350_to_360*" },
  { "response-ratelimiting", "000_base_response_rate_limiting 001_350_to_360*" },
  { "session", "000_base_session 001_add_ttl_index 002_320_to_330" },
}

local tables = [[
  CREATE TABLE IF NOT EXISTS "workspaces" (
    "id" UUID PRIMARY KEY, "name" TEXT UNIQUE, "comment" TEXT, "created_at" TIMESTAMP WITH TIME ZONE
  );
  INSERT INTO "workspaces" ("id", "name", "created_at")
    VALUES (gen_random_uuid(), 'default', CURRENT_TIMESTAMP) ON CONFLICT DO NOTHING;

  CREATE TABLE IF NOT EXISTS "services" (
    "id" UUID PRIMARY KEY, "created_at" TIMESTAMP WITH TIME ZONE, "updated_at" TIMESTAMP WITH TIME ZONE,
    "name" TEXT UNIQUE, "retries" BIGINT, "protocol" TEXT, "host" TEXT, "port" BIGINT, "path" TEXT,
    "connect_timeout" BIGINT, "write_timeout" BIGINT, "read_timeout" BIGINT, "tags" TEXT[],
    "enabled" BOOLEAN DEFAULT TRUE
  );
  CREATE TABLE IF NOT EXISTS "routes" (
    "id" UUID PRIMARY KEY, "created_at" TIMESTAMP WITH TIME ZONE, "updated_at" TIMESTAMP WITH TIME ZONE,
    "name" TEXT UNIQUE, "service_id" UUID REFERENCES "services" ("id"), "protocols" TEXT[], "methods" TEXT[],
    "hosts" TEXT[], "paths" TEXT[], "strip_path" BOOLEAN, "preserve_host" BOOLEAN, "regex_priority" BIGINT,
    "tags" TEXT[]
  );
  CREATE TABLE IF NOT EXISTS "plugins" (
    "id" UUID PRIMARY KEY, "created_at" TIMESTAMP WITH TIME ZONE, "updated_at" TIMESTAMP WITH TIME ZONE,
    "name" TEXT NOT NULL, "instance_name" TEXT UNIQUE, "enabled" BOOLEAN NOT NULL, "config" JSONB NOT NULL,
    "protocols" TEXT[], "service_id" UUID REFERENCES "services" ("id") ON DELETE CASCADE,
    "route_id" UUID REFERENCES "routes" ("id") ON DELETE CASCADE, "tags" TEXT[], "cache_key" TEXT UNIQUE
  );
]]

local subsystems = {}
for _, entry in ipairs(names) do
  local subsystem, list = entry[1], entry[2]
  local namespace = (subsystem == "core" and "kong.db.migrations." or "kong.plugins.") .. subsystem
    .. (subsystem == "core" and "" or ".migrations")
  local index = {}
  for name, star in list:gmatch("([%w_]+)(%*?)") do
    local migration = { postgres = { up = "SELECT 1" } }
    if subsystem == "core" and name == "000_base" then
      migration.postgres.up = tables
    end
    if star == "*" then
      migration.postgres.teardown = function() end
    end
    index[#index + 1] = name
    package.preload[namespace .. "." .. name] = function() return migration end
  end
  package.preload[namespace] = function() return index end
  subsystems[subsystem] = namespace
end

return subsystems
