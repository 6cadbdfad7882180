-- The services whose requests nginx answers, by `h:<host>` or `p:<project>/<run>`, as the main process has written them
-- (`plain-table.ts`).
local routes = ngx.shared.dstack_routes
local sub, gmatch = string.sub, string.gmatch

local M = {}

-- By key, with the line that each was read from.
local parsed = {}

local function split(text, by)
  local parts = {}
  for part in gmatch(text .. by, "(.-)" .. by) do parts[#parts + 1] = part end
  return parts
end

local function route_of(key, line)
  local known = parsed[key]
  if known and known.line == line then return known end
  local run, flags, project, name, list = unpack(split(line, "\t"))
  local route = { line = line, run = run, project = project, name = name, replicas = {} }
  for n, flag in ipairs { "secure", "auth", "scaled", "stripped" } do route[flag] = sub(flags, n, n) == "1" end
  for text in gmatch(list, "[^;]+") do
    local job, address, port, failing, running = unpack(split(text, ","))
    route.replicas[#route.replicas + 1] = {
      job = job, address = address, port = tonumber(port),
      failing = failing == "1", running = tonumber(running),
    }
  end
  parsed[key] = route
  return route
end

-- What was read of this version of the table.
local version
local current, generation, marks = {}, nil, nil

local function read_version()
  local now = routes:get("version")
  if now == version then return end
  version, current = now, {}
  generation = routes:get("generation")
  marks = routes:get("marks")
end

-- Nil: it has none.
function M.of(key)
  read_version()
  local known = current[key]
  if known then return known end
  local line = routes:get(key)
  if not line then return nil end
  local route = route_of(key, line)
  route.is_interim = routes:get("i:" .. route.run)
  current[key] = route
  return route
end

-- From now on workers answer all requests of the run.
function M.leave_to_workers(route)
  route.is_interim = true
  routes:set("i:" .. route.run, true)
  routes:incr("version", 1, 0)
end

-- Whether the main process keeps the table up to date.
function M.are_current(now) return now < (routes:get("lease") or 0) end

-- Callers are known as long as this stays as it is; nil = none is.
function M.generation()
  read_version()
  return generation
end

-- See `heads.set_marks`.
function M.marks()
  read_version()
  return marks
end

-- What is no longer in the table.
function M.forget()
  for key, route in pairs(parsed) do
    if routes:get(key) ~= route.line then parsed[key] = nil end
  end
end

return M
