-- Callers whom a worker has admitted.
local clock = require "clock"
local routes = require "routes"

local grants = ngx.shared.dstack_grants

-- Milliseconds for which an answer of a worker counts; every change of the access ends it at once.
local FRESH = 10000

-- `workers`: their sockets.
local M = { workers = {} }

-- As a worker has answered: `<generation> <passes> <expires, ms of the wall clock> <name>`. A service for
-- everybody has callers without a name.
local function grant_of(text)
  local generation, passes, expires, name = text:match("^(%d+) ([01]) (%d+) ?(%S*)$")
  if not generation then return nil end
  return { generation = generation, passes = passes == "1", expires = tonumber(expires), name = ngx.unescape_uri(name) }
end

local function is_valid(grant, generation)
  return grant ~= nil and grant.generation == generation
    and (grant.expires == 0 or clock.wall() < grant.expires)
end

function M.keep(key, text)
  local grant = type(text) == "string" and grant_of(text)
  -- One of an earlier generation would never count.
  if not grant or grant.generation ~= routes.generation() then return end
  grants:set(key, string.format("%d %s", clock.now() + FRESH, text), FRESH / 1000)
end

-- What was read last, by key: callers repeat themselves.
local read, read_size = {}, 0

local function grant_in(key)
  local text = grants:get(key)
  if not text then return nil end
  local known = read[key]
  if known and known.text == text then return known end
  local until_ms, rest = text:match("^(%d+) (.*)$")
  local grant = grant_of(rest)
  grant.text, grant.until_ms = text, tonumber(until_ms)
  if read_size > 10000 then read, read_size = {}, 0 end
  if not known then read_size = read_size + 1 end
  read[key] = grant
  return grant
end

-- Nil: a worker is to be asked.
function M.known(key, generation, now)
  local grant = grant_in(key)
  if not is_valid(grant, generation) or now >= grant.until_ms then return nil end
  -- One request asks before all of them would have to.
  if now >= grant.until_ms - FRESH / 2 and grants:add("due:" .. key, true, FRESH / 4000) then return nil end
  return grant
end

-- Keys that are kept, by run, method and credential: strangers send any number of credentials, of any length.
local keys, keys_size = {}, 0
local MOST_KEYS, LONGEST = 10000, 1024

local function part_of(all, name)
  local part = all[name]
  if not part then
    part = {}
    all[name] = part
  end
  return part
end

-- The name of a caller of a run: a digest.
function M.key(route, method, authorization)
  local run = route.run
  local known = keys[run] and keys[run][method] and keys[run][method][authorization]
  if known then return known end
  local key = ngx.encode_base64(ngx.sha1_bin(run .. "\n" .. method .. "\n" .. authorization))
  if #authorization > LONGEST then return key end
  if keys_size >= MOST_KEYS then keys, keys_size = {}, 0 end
  part_of(part_of(keys, run), method)[authorization] = key
  keys_size = keys_size + 1
  return key
end

-- Asks a worker whether a caller whose answer goes on may still use the service.
function M.ask_again(premature, key, question)
  if premature then return end
  local generation = routes.generation()
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, 5000)
  if not generation or not socket:connect("unix:" .. M.workers[math.random(#M.workers)]) then return end
  socket:send(question)
  local first = socket:receive("*l") or ""
  local status = tonumber(first:match("^HTTP/1%.%d (%d+)"))
  for line in function() return socket:receive("*l") end do
    if line == "" then break end
    local name, text = line:match("^([^:]*): *(.*)$")
    if name and name:lower() == "x-dstack-grant" then M.keep(key, text) end
  end
  socket:close()
  -- Anything else than a refusal means that nobody could answer.
  if status and status >= 400 and status < 500 and status ~= 429 then
    grants:set("refused:" .. key, generation, 60)
  end
end

function M.is_refused(key, generation) return grants:get("refused:" .. key) == generation end

-- About the request that is being answered.
function M.question(request)
  local var = ngx.var
  local lines = {
    request.method .. " " .. var.request_uri .. " HTTP/1.0", "Host: " .. var.http_host,
    "Authorization: " .. var.http_authorization, "X-Dstack-Gateway-Address: " .. var.remote_addr,
    "X-Dstack-Gateway-Scheme: " .. var.scheme, "X-Dstack-Gateway-Sni: " .. (var.ssl_server_name or ""),
    "X-Dstack-Gateway-Wants: ask", "", "",
  }
  return table.concat(lines, "\r\n")
end

return M
