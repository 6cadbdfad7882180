-- The policy of `proxy/src/policy` for nginx: `choice.ts`, `replica-record.ts`, `outliers.ts`, `refusals.ts` and
-- the buckets of latencies. `policy.real.test.ts` holds both equal. All times are in milliseconds.
local floor, max, min, ceil, log = math.floor, math.max, math.min, math.ceil, math.log

local M = {}

-- replica-record.ts

local HALF_LIFE = 10000
local WEIGHT = 1 / 8

function M.new_record()
  return { at = 0, answers = 0, errors = 0, in_row = 0, share = 0, latency = nil, starts = 0 }
end

function M.is_server_error(status)
  return status >= 500 and status <= 599 and status ~= 501 and status ~= 505
end

local function remaining(record, now)
  return 2 ^ (-max(0, now - record.at) / HALF_LIFE)
end

local function reduce(record, now)
  local part = remaining(record, now)
  record.at = now
  record.answers = record.answers * part
  record.errors = record.errors * part
  record.starts = record.starts * part
end

function M.started(record, now)
  reduce(record, now)
  record.starts = record.starts + 1
end

function M.answered(record, is_error, ms, now)
  reduce(record, now)
  record.answers = record.answers + 1
  record.share = record.share + ((is_error and 1 or 0) - record.share) * WEIGHT
  if is_error then
    record.errors = record.errors + 1
    record.in_row = record.in_row + 1
  else
    record.in_row = 0
    record.latency = record.latency and record.latency + (ms - record.latency) * WEIGHT or ms
  end
end

-- choice.ts

local MOST_SLOW, MOST_ERRORS = 4, 3
local MOMENT, SLOWER, ENOUGH_FOR_LATENCY = 50, 1.5, 3
local MOST_STARTS, FREE_STARTS = 1.5, 4

local function dearness(one, other, now)
  local own, others = one.record, other.record
  local part = remaining(own, now)
  local slow = 1
  if own.latency and others.latency and own.answers >= ENOUGH_FOR_LATENCY then
    local ratio = (own.latency + MOMENT) / (others.latency + MOMENT)
    if ratio >= SLOWER then slow = min(ratio, MOST_SLOW) end
  end
  return (1 + (slow - 1) * part) * (1 + (MOST_ERRORS - 1) * own.share * part)
end

-- Whether `other` should get a request rather than `turn`.
function M.is_better(other, turn, now)
  local dear_turn, dear_other = dearness(turn, other, now), dearness(other, turn, now)
  local all = (1 + turn.waiting + turn.streaming) * dear_turn
    - (1 + other.waiting + other.streaming) * dear_other
  if all < 1 then return false end
  if (1 + turn.waiting) * dear_turn - (1 + other.waiting) * dear_other >= 1 then return true end
  local starts = other.record.starts * remaining(other.record, now)
  return starts <= MOST_STARTS * turn.record.starts * remaining(turn.record, now) + FREE_STARTS
end

-- outliers.ts

local IN_ROW, IN_ROW_AGAIN, HEALTHY = 5, 2, 0.1
local ENOUGH, WORSE_BY, MOST_EJECTED = 20, 0.3, 0.5
local FIRST, LONGEST, RECOVERY = 5000, 300000, 60000

-- `peers`: { record, is_ejected, is_usable }. Returns the cause and its figures; nil = it is not ejected.
function M.ejection_of(own, peers, now)
  local ejected, usable, answers, errors = 0, 0, 0, 0
  for _, peer in ipairs(peers) do
    if peer.is_ejected then ejected = ejected + 1 end
    if peer.is_usable then
      local part = remaining(peer.record, now)
      usable = usable + 1
      answers = answers + peer.record.answers * part
      errors = errors + peer.record.errors * part
    end
  end
  if usable == 0 then return nil end
  if ejected + 1 > floor((#peers + 1) * MOST_EJECTED) then return nil end
  local others = answers < 0.5 and 0 or errors / answers
  if own.in_row >= IN_ROW and others <= HEALTHY then return "errors_in_row", own.in_row end
  local part = remaining(own, now)
  local own_answers, own_errors = own.answers * part, own.errors * part
  if own_answers < ENOUGH or answers < ENOUGH then return nil end
  local rate = own_errors / own_answers
  if rate >= others + WORSE_BY then return "error_rate", rate, others end
  return nil
end

-- `ejections`: { level, until_ms }.
function M.eject(ejections, now)
  local recovered = 0
  if ejections.until_ms ~= 0 then
    recovered = floor(max(0, now - ejections.until_ms) / RECOVERY)
  end
  ejections.level = max(0, ejections.level - recovered) + 1
  ejections.until_ms = now + min(FIRST * 2 ^ (ejections.level - 1), LONGEST)
end

function M.after_ejection(record)
  local fresh = M.new_record()
  fresh.at, fresh.starts, fresh.in_row = record.at, record.starts, IN_ROW - IN_ROW_AGAIN
  return fresh
end

-- refusals.ts

local AVOIDED, MOST_AVOIDED, STARTING = 1000, 30000, 10000

function M.avoided_ms(refusals, age)
  local exponent = age < STARTING and 0 or refusals - 1
  return min(AVOIDED * 2 ^ exponent, MOST_AVOIDED)
end

-- `latencyBucket` of `contract/load.ts`, and `durationBucket` of latency-totals.ts.

local FIRST_BOUND, GROWTH = 0.5, 1.25
local BOUNDS = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300 }
M.BUCKETS = 72

function M.latency_bucket(ms)
  if ms <= FIRST_BOUND then return 0 end
  return min(M.BUCKETS - 1, ceil(log(ms / FIRST_BOUND) / log(GROWTH)))
end

function M.duration_bucket(seconds)
  for n = 1, #BOUNDS do
    if seconds <= BOUNDS[n] then return n - 1 end
  end
  return #BOUNDS
end

return M
