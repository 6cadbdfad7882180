-- Requests that need no judgement, answered by nginx itself. Everything else goes to the workers, as all requests do
-- without this file: what is not in the table, what may contain a token of dstack, callers who are not known, and
-- whatever fails here. It never refuses a request by itself.
--
-- The main process of the gateway (`plain-engine.ts`) writes the table, and renews its lease while it runs.
local answers = require "answers"
local balancer = require "ngx.balancer"
local callers = require "callers"
local clock = require "clock"
local control = require "control"
local counting = require "counting"
local heads = require "heads"
local replicas = require "replicas"
local routes = require "routes"

local find, gmatch, match, sub = string.find, string.gmatch, string.match, string.sub

local M = {}

-- Bytes of a body that is received before the request is sent, so that it can be sent to another replica.
local most_body = 65536
-- Milliseconds after which a worker is asked once more whether a caller may still use a service.
local ASK_AGAIN = 1000

-- A worker answers others: what is kept of requests here must not grow by names that clients make up.
local METHODS = { GET = true, HEAD = true, OPTIONS = true, POST = true, PUT = true, PATCH = true, DELETE = true }

-- Requests that are being answered, by number: an internal redirect loses `ngx.ctx`.
local open = {}
local last = 0

local function to_worker() return ngx.exec("@workers") end

local function has_small_body(headers, method)
  local length = headers["content-length"]
  if not length then return method == "GET" or method == "HEAD" or method == "DELETE" or method == "OPTIONS" end
  local size = tonumber(length)
  return size ~= nil and size <= most_body
end

-- The names of projects and runs as they are; an encoded one is a worker's to read.
local PATH = "^(/proxy/services/([%w._-]+)/([%w._-]+))(/.*)$"

-- The key of the service that a path leads to, the path before what the app gets, and the rest.
local function place_of_path(uri)
  local prefix, project, run, rest = match(uri, PATH)
  if not prefix or #prefix > 1000 then return nil end
  return "p:" .. project:lower() .. "/" .. run, prefix, rest
end

-- Decides before anything is sent. Returns the request, if it can be answered here.
local function plain_request(by_path)
  local var = ngx.var
  local host = var.host
  local now = clock.now()
  local key, prefix, rest = "h:" .. host, nil, nil
  if by_path then key, prefix, rest = place_of_path(var.request_uri) end
  local route = key and routes.of(key)
  if not route or route.is_interim or not routes.are_current(now) then return nil end
  local sni = var.ssl_server_name
  if sni and sni ~= "" and sni:lower() ~= host then return nil end
  if route.secure and var.scheme ~= "https" then return nil end
  heads.set_marks(routes.marks())
  local headers, problem = ngx.req.get_headers(100)
  local credential = heads.credential_of(headers)
  if problem or not heads.are_plain(headers, credential) then return nil end
  -- A request that names its host twice: workers decide which one counts. nginx reads everything as a port.
  local named = headers.host
  if named ~= host and not (named and sub(named, 1, #host) == host and find(named, "^:%d+$", #host + 1)) then return nil end
  local method = ngx.req.get_method()
  if not METHODS[method] or not has_small_body(headers, method) then return nil end
  -- As the app receives it: to nginx, nothing after a `#` is a query.
  local query = match(var.request_uri, "%?(.*)$")
  if query and not (heads.is_clean("pairs", query) and not (credential and find(query, credential, 1, true))) then return nil end
  local request = { place = key, prefix = prefix, rest = rest, route = route, method = method, began = now }
  local authorization = headers.authorization
  if route.auth or authorization then
    if not authorization then return nil end
    local generation = routes.generation()
    local digest = callers.key(route, method, authorization)
    local caller = generation and callers.known(digest, generation, now)
    -- Whoever uses a service for everybody has no name, and is not admitted once it is for members only.
    if not caller or (route.auth and caller.name == "") then
      var.dstack_wants = digest
      return nil
    end
    request.key, request.generation, request.expires = digest, generation, caller.expires
    if route.auth then request.user = caller.name end
    if caller.passes then request.authorization = authorization end
  end
  return request
end

-- `by_path`: this is the API's origin, where a path leads to a service; else a host name does.
function M.access(by_path)
  local request = plain_request(by_path)
  if not request then return to_worker() end
  local var = ngx.var
  last = last + 1
  local ref = tostring(last)
  open[ref] = request
  request.ref = ref
  var.dstack_ref = ref
  request.id = by_path and var.dstack_request_id or var.request_id
  if request.user then var.dstack_user = request.user end
  if request.authorization then var.dstack_authorization = request.authorization end
  if by_path then
    local is_stripped = request.route.stripped
    var.dstack_path = is_stripped and request.rest or var.request_uri
    var.dstack_prefix = is_stripped and request.prefix or ""
  end
  ngx.ctx.request = request
  if request.route.scaled then counting.begun(request.route.run, 1) end
end

function M.balance()
  local request = ngx.ctx.request
  local now = clock.now()
  if request.known then
    request.tried = request.tried or {}
    request.tried[request.known.job] = true
    -- A worker decides whether it may be repeated.
    if replicas.failed(request, now) then
      request.was_sent = true
      return ngx.exit(502)
    end
  end
  -- Replicas may have left since the request began: its body was awaited.
  local route = routes.of(request.place)
  if not route or route.run ~= request.route.run then return ngx.exit(503) end
  request.route = route
  local target, known = replicas.choose(route.replicas, request.tried, now)
  if not target then return ngx.exit(503) end
  if not request.tried and #route.replicas > 1 then balancer.set_more_tries(#route.replicas - 1) end
  replicas.take(request, target, known, now)
  assert(balancer.set_current_peer(target.address, target.port))
end

-- By the name as apps write it.
local own, own_size = {}, 0

local function is_own(name)
  local known = own[name]
  if known ~= nil then return known end
  known = sub(name, 1, 9):lower() == "x-dstack-"
  if #name > 100 then return known end
  if own_size > 1000 then own, own_size = {}, 0 end
  own[name], own_size = known, own_size + 1
  return known
end

-- An answer may repeat a header.
local function values_of(name)
  local value = ngx.header[name]
  return type(value) == "table" and value or { value }
end

-- Nothing in the answer of an app may affect more of the API's origin than its path.
local function confine(request)
  local header, is_stripped = ngx.header, request.route.stripped
  for name in pairs(ngx.resp.get_headers(0, true)) do
    if answers.is_dropped(name:lower()) then header[name] = nil end
  end
  for name in gmatch((ngx.var.upstream_http_connection or ""):lower(), "[^,%s]+") do
    if name ~= "host" and name ~= "close" and name ~= "keep-alive" then header[name] = nil end
  end
  local cookies = values_of("Set-Cookie")
  if #cookies > 0 then
    local kept = {}
    for _, cookie in ipairs(cookies) do
      kept[#kept + 1] = answers.cookie(cookie, request.prefix, is_stripped)
    end
    header["Set-Cookie"] = kept
  end
  -- Of several, clients follow the first.
  local location = values_of("Location")[1]
  if location and is_stripped then
    header["Location"] = answers.location(location, request.prefix, ngx.var.http_host)
  end
  -- A policy of the app can only add restrictions.
  local policies = values_of("Content-Security-Policy")
  policies[#policies + 1] = "sandbox"
  header["Content-Security-Policy"] = policies
end

function M.headers()
  local request = ngx.ctx.request
  if not request then return end
  -- nginx takes an interim answer (103) for the whole one, and all that follows it for its body: the client would read
  -- that as further answers, which may be meant for others on its connection. So this request is broken off, and
  -- workers answer all others for such an app.
  if ngx.status < 200 then
    routes.leave_to_workers(request.route)
    -- The replica is not to blame. nginx has not yet counted the bytes that it has sent there.
    replicas.release(request)
    request.was_sent = true
    return ngx.exit(502)
  end
  local header = ngx.header
  if request.known and not request.has_answer then replicas.answered(request, ngx.status) end
  for name in pairs(ngx.resp.get_headers(0, true)) do
    if is_own(name) then header[name] = nil end
  end
  if request.prefix then confine(request) end
  header["X-Request-Id"] = request.id
end

-- An answer that lasts longer than the access of its caller ends. Nothing can wait here, so another one asks.
function M.body()
  local request = ngx.ctx.request
  if not request or not request.key then return end
  if request.expires ~= 0 and clock.wall() >= request.expires then return ngx.ERROR end
  local generation = routes.generation()
  -- Without a server nobody can be asked.
  if not generation or generation == request.generation then return end
  if callers.is_refused(request.key, generation) then return ngx.ERROR end
  local caller = callers.known(request.key, generation, clock.now())
  if caller then
    request.generation, request.expires, request.asked = generation, caller.expires, nil
  elseif not request.asked or clock.now() - request.asked > ASK_AGAIN then
    request.asked = clock.now()
    ngx.timer.at(0, callers.ask_again, request.key, callers.question(request))
  end
end

-- nginx could not deliver the request: a worker does, or says why.
function M.undelivered(cause)
  local var = ngx.var
  local request = open[var.dstack_ref]
  open[var.dstack_ref] = nil
  var.dstack_ref = ""
  if not request then return to_worker() end
  -- The worker counts it, as all that it answers.
  if request.route.scaled then counting.begun(request.route.run, -1) end
  local was_sent = replicas.failed(request, clock.now()) or request.was_sent
  local method = request.method
  local is_read = method == "GET" or method == "HEAD" or method == "OPTIONS"
  if was_sent and (cause == "timed_out" or not is_read) then var.dstack_failed = cause end
  return to_worker()
end

-- What a worker has answered about the caller.
function M.worker_headers()
  local key = ngx.var.dstack_wants
  if not key or key == "" then return end
  local text = ngx.header["X-Dstack-Grant"]
  ngx.header["X-Dstack-Grant"] = nil
  callers.keep(key, text)
end

function M.log()
  local request = ngx.ctx.request
  if not request then return end
  open[request.ref] = nil
  if request.known and not request.has_answer and ngx.status ~= 499 then replicas.failed(request, clock.now())
  else replicas.release(request) end
  counting.ended(request, ngx.status)
end

-- `has_proxies`: see `heads.lua`. `limit`: bytes of a body above which workers refuse it; 0 = there is none.
function M.load(workers, has_proxies, limit)
  if limit > 0 then most_body = math.min(most_body, limit) end
  callers.workers = workers
  heads.has_proxies = has_proxies == true
end

function M.start()
  control.start()
  math.randomseed(ngx.worker.pid() + clock.wall())
  ngx.timer.every(0.1, counting.write_pages)
  ngx.timer.every(60, function()
    replicas.forget()
    routes.forget()
  end)
end

return M
