-- Which replica gets a request, as `replica-connections.ts` of the proxy chooses it. Each process of nginx judges by
-- the answers that it has seen; requests in flight are added up, since the end of a job waits for them.
local clock = require "clock"
local counting = require "counting"
local policy = require "policy"

local live, ejected = ngx.shared.dstack_live, ngx.shared.dstack_ejected
local gmatch = string.gmatch

local M = {}

-- A replica without requests for so long (ms) is forgotten.
local FORGET = 600000

-- By the id of the job.
local replicas = {}
local turn = 0
local NONE = {}

local function known_replica(target)
  local known = replicas[target.job]
  if not known then
    known = {
      job = target.job, waiting = 0, streaming = 0, record = policy.new_record(), refusals = 0,
      ejections = { level = 0, until_ms = 0 }, avoided = 0, counted = {},
    }
    replicas[target.job] = known
  end
  return known
end

local function is_avoided(target, now)
  local known = replicas[target.job]
  return known ~= nil and (now < known.avoided or now < known.ejections.until_ms)
end

local function candidates(list, tried, now)
  if not tried and #list == 1 then return list end
  tried = tried or NONE
  local usable, free, healthy = {}, {}, {}
  for _, target in ipairs(list) do
    if not tried[target.job] then
      usable[#usable + 1] = target
      if not is_avoided(target, now) then
        free[#free + 1] = target
        if not target.failing then healthy[#healthy + 1] = target end
      end
    end
  end
  if #healthy > 0 then return healthy end
  return #free > 0 and free or usable
end

function M.choose(list, tried, now)
  local found = candidates(list, tried, now)
  local count = #found
  if count == 0 then return nil end
  turn = turn + 1
  local best = found[turn % count + 1]
  if count == 1 then return best, known_replica(best) end
  local other = found[(turn + math.random(count - 1)) % count + 1]
  local known, second = known_replica(best), known_replica(other)
  if policy.is_better(second, known, now) then return other, second end
  return best, known
end

local function live_key(known)
  -- The process that has read this file is not the one that answers.
  known.key = known.key or ngx.worker.pid() .. ":" .. known.job
  return known.key
end

function M.take(request, target, known, now)
  request.target, request.known, request.has_answer, request.at = target, known, false, now
  known.waiting = known.waiting + 1
  known.used = now
  policy.started(known.record, now)
  live:incr(live_key(known), 1, 0)
end

function M.release(request)
  local known = request.known
  if not known then return end
  request.known = nil
  if request.has_answer then known.streaming = known.streaming - 1
  else known.waiting = known.waiting - 1 end
  -- The key is of this process alone.
  if live:incr(live_key(known), -1, 0) == 0 then live:delete(live_key(known)) end
end

local function judge(request, known, now)
  if now < known.ejections.until_ms then return end
  local peers = {}
  for _, target in ipairs(request.route.replicas) do
    if target.job ~= known.job then
      local peer = known_replica(target)
      peers[#peers + 1] = {
        record = peer.record,
        is_ejected = now < peer.ejections.until_ms,
        is_usable = not target.failing and not is_avoided(target, now),
      }
    end
  end
  local cause, figure, others = policy.ejection_of(known.record, peers, now)
  if not cause then return end
  policy.eject(known.ejections, now)
  known.record = policy.after_ejection(known.record)
  local ms = known.ejections.until_ms - now
  local text = table.concat({ request.route.run, known.job, cause, figure, others or 0, clock.wall() + ms }, "\t")
  ejected:set(ngx.worker.pid() .. ":" .. known.job, text, ms / 1000)
  ngx.log(ngx.WARN, "a replica answers with errors: it is avoided: ", request.route.name, " ", cause)
end

local function record(request, known, is_error, now)
  policy.answered(known.record, is_error, now - request.at, now)
  if is_error then judge(request, known, now) end
end

local function refused(known, target, now)
  if now < known.avoided then return end
  known.refusals = known.refusals + 1
  known.avoided = now + policy.avoided_ms(known.refusals, clock.wall() - target.running)
end

local function bytes_sent()
  local total = 0
  for text in gmatch(ngx.var.upstream_bytes_sent or "", "%d+") do total = total + tonumber(text) end
  return total
end

-- The attempt has failed before an answer. Returns whether something was sent.
function M.failed(request, now)
  local known, target = request.known, request.target
  if not known then return false end
  local total = bytes_sent()
  local was_sent = total > (request.sent or 0)
  request.sent = total
  if was_sent then
    if not request.has_answer then
      counting.failed(known.job, known.counted)
      record(request, known, true, now)
    end
  else
    refused(known, target, now)
  end
  M.release(request)
  return was_sent
end

-- The replica has begun to answer.
function M.answered(request, status)
  local known, now = request.known, clock.now()
  request.has_answer = true
  known.waiting, known.streaming = known.waiting - 1, known.streaming + 1
  known.refusals, known.avoided = 0, 0
  counting.answered(known.job, known.counted, status, now - request.at)
  record(request, known, policy.is_server_error(status), now)
end

function M.forget()
  local now = clock.now()
  for job, known in pairs(replicas) do
    if known.waiting + known.streaming == 0 and now - (known.used or now) > FORGET then replicas[job] = nil end
  end
end

return M
