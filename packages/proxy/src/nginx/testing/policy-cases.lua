-- Answers the lines of `policy-cases.ts` by `policy.lua`.
local policy = require "policy"

local function number(value) return string.format("%.17g", value) end

local function shown(one)
  local out = {}
  for n, value in ipairs { one.at, one.answers, one.errors, one.in_row, one.share, one.latency or -1, one.starts } do
    out[n] = number(value)
  end
  return table.concat(out, " ")
end

local known = {}
local function of(name)
  known[name] = known[name] or { record = policy.new_record(), ejections = { level = 0, until_ms = 0 } }
  return known[name]
end

local function judged(own, now, named)
  local peers = {}
  for _, text in ipairs(named) do
    local name, usable = text:match("^(.):(.)$")
    local peer = of(name)
    peers[#peers + 1] = {
      record = peer.record, is_ejected = now < peer.ejections.until_ms, is_usable = usable == "1",
    }
  end
  local cause, figure, others = policy.ejection_of(own.record, peers, now)
  if not cause then return "stays" end
  policy.eject(own.ejections, now)
  own.record = policy.after_ejection(own.record)
  return table.concat({
    cause, number(figure), number(others or 0), number(own.ejections.level), number(own.ejections.until_ms),
    shown(own.record),
  }, " ")
end

local answers = {}
function answers.new() known = {} return "new" end
function answers.start(words)
  policy.started(of(words[1]).record, tonumber(words[2]))
  return shown(of(words[1]).record)
end
function answers.answer(words)
  policy.answered(of(words[1]).record, words[2] == "1", tonumber(words[3]), tonumber(words[4]))
  return shown(of(words[1]).record)
end
function answers.better(words)
  local function rated(n)
    return { record = of(words[n]).record, waiting = tonumber(words[n + 1]), streaming = tonumber(words[n + 2]) }
  end
  return tostring(policy.is_better(rated(1), rated(4), tonumber(words[7])))
end
function answers.judge(words)
  local peers = {}
  for n = 3, #words do peers[#peers + 1] = words[n] end
  return judged(of(words[1]), tonumber(words[2]), peers)
end
function answers.avoided(words) return number(policy.avoided_ms(tonumber(words[1]), tonumber(words[2]))) end
function answers.error(words) return tostring(policy.is_server_error(tonumber(words[1]))) end
function answers.bucket(words)
  local ms = tonumber(words[1])
  return policy.duration_bucket(ms / 1000) .. ":" .. policy.latency_bucket(ms)
end

return function(text)
  local out = {}
  for line in text:gmatch("[^\n]+") do
    local words = {}
    for word in line:gmatch("%S+") do words[#words + 1] = word end
    local kind = table.remove(words, 1)
    out[#out + 1] = answers[kind](words)
  end
  return table.concat(out, "\n")
end
