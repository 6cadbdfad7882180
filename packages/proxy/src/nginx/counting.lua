-- Counts of requests, in memory that outlives the processes of nginx, and the latest requests of each process.
local clock = require "clock"
local policy = require "policy"

local counts, pages = ngx.shared.dstack_counts, ngx.shared.dstack_pages
local sub = string.sub

local M = {}

-- Latest requests of a service that are kept.
local KEPT = 200
-- A service without requests for so long (ms) is forgotten.
local FORGET = 600000

-- Characters of a path that are kept.
local LONGEST = 1000

local rings = {}

local function path_of(uri) return sub(uri:match("^[^?]*"), 1, LONGEST) end

local function keep(request, status, ms)
  local ring = rings[request.route.run]
  if not ring then
    ring = { next = 0 }
    rings[request.route.run] = ring
  end
  local var = ngx.var
  local uri = var.request_uri
  if #uri > LONGEST then uri = path_of(uri) end
  ring[ring.next % KEPT] = {
    math.floor(clock.wall()), request.method, uri, status, ms, request.user or "", var.remote_addr, request.id,
    request.has_answer and request.target.job or "",
  }
  ring.next = ring.next + 1
  ring.used = clock.now()
end

-- A request of a service that scales by them has begun, or (-1) is left to a worker, which counts it.
function M.begun(run, step) counts:incr("b:" .. run, step, 0) end

-- `id`: of a run or a job. `keys`: of the counts of this id that were used before, by number.
local function count(id, keys, number, bucket)
  local known = keys[number]
  local key = known or id .. ":" .. bucket
  if not known then
    -- Before it is counted: a bucket that is not listed would never be read. It may be listed more than once.
    if not counts:get(key) then counts:rpush("l:" .. id, bucket) end
    keys[number] = key
  end
  -- One step, so that a process that is killed has counted it in all or in none.
  local now = counts:incr(key, 1, 0)
  -- The counts of the id were forgotten meanwhile, and their list too.
  if known and now == 1 then counts:rpush("l:" .. id, bucket) end
end

function M.ended(request, status)
  local ms = clock.now() - request.began
  local run = request.route.run
  local keys = request.route.counted
  if not keys then
    keys = { sum = "s:" .. run }
    request.route.counted = keys
  end
  local class = math.floor(status / 100)
  local duration, latency = policy.duration_bucket(ms / 1000), policy.latency_bucket(ms)
  local number = (class * 100 + duration) * 100 + latency
  count(run, keys, number, class .. ":" .. duration .. ":" .. latency)
  -- Never nothing: it shows that there was a request.
  counts:incr(keys.sum, math.max(ms, 0.001), 0)
  keep(request, status, ms)
end

-- A replica has begun to answer after so long. `keys`: see above.
function M.answered(job, keys, status, ms)
  local class, duration = math.floor(status / 100), policy.duration_bucket(ms / 1000)
  count(job, keys, class * 100 + duration, class .. ":" .. duration)
  counts:incr("s:" .. job, ms, 0)
end

-- A replica has taken a request, and gave no answer.
function M.failed(job, keys) count(job, keys, 0, "f") end

-- For those who have asked.
function M.write_pages()
  local now = clock.now()
  for run, ring in pairs(rings) do
    if pages:get("w:" .. run) and ring.written ~= ring.next then
      local lines = { tostring(ring.next) }
      for n = math.max(0, ring.next - KEPT), ring.next - 1 do
        local record = ring[n % KEPT]
        record[3] = path_of(record[3])
        lines[#lines + 1] = table.concat(record, "\t")
      end
      pages:set("a:" .. ngx.worker.pid() .. ":" .. run, table.concat(lines, "\n"), 600)
      ring.written = ring.next
    elseif now - ring.used > FORGET then
      rings[run] = nil
    end
  end
end

return M
