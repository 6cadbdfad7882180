-- Whether the head of a request can be passed on without a judgement: it has no token of dstack, and nothing that
-- concerns this connection alone. In doubt it has; see `head/credential-places.ts` of the proxy.
local find, gmatch, match = string.find, string.gmatch, string.match

-- `has_proxies`: headers in which proxies name their client may count, which a worker decides; else nobody's do.
local M = { has_proxies = false }

local CREDENTIAL = "auth|token|key|secret|passw|credential|bearer|jwt"
-- A token of dstack, an id as users' tokens are, and a user with password. An encoded letter may hide one.
local TOKEN = "dstack|[0-9a-f]{8}-[0-9a-f]{4}-|basic"
local HIDDEN = "%(?:2d|5f|3[0-9]|[46][1-9a-f]|[57][0-9a])"
local IN_VALUES = TOKEN
local IN_PAIRS = TOKEN .. "|" .. CREDENTIAL .. "|" .. HIDDEN

local KINDS = {
  host = "pass", authorization = "pass", ["x-request-id"] = "pass", range = "pass", date = "pass",
  forwarded = "proxy", ["cf-connecting-ip"] = "proxy", ["fastly-client-ip"] = "proxy", ["true-client-ip"] = "proxy",
  ["x-client-ip"] = "proxy", ["x-cluster-client-ip"] = "proxy", ["x-original-forwarded-for"] = "proxy",
  ["x-real-ip"] = "proxy", connection = "connection", ["keep-alive"] = "drop", ["proxy-connection"] = "drop",
  cookie = "pairs", referer = "pairs",
  expect = "judge", upgrade = "judge", te = "judge", trailer = "judge", ["transfer-encoding"] = "judge",
  ["http2-settings"] = "judge", ["proxy-authorization"] = "judge", ["proxy-authenticate"] = "judge",
}
local kinds, kinds_size = {}, 0

-- An expression that cannot be evaluated might have matched.
local function has(text, expression)
  local from, _, problem = ngx.re.find(text, expression, "ijo")
  return from ~= nil or problem ~= nil
end

local function kind_of(name)
  local known = KINDS[name] or kinds[name]
  if known then return known end
  local kind = "value"
  -- Many frameworks treat `-` and `_` alike. nginx itself drops such names, unless it is told to keep them.
  if find(name, "_", 1, true) then kind = "judge"
  elseif find(name, "^x%-forwarded%-") then kind = "proxy"
  elseif find(name, "^x%-dstack%-") then kind = "judge"
  elseif find(name, "^content%-") or find(name, "^accept") or find(name, "^if%-")
    or find(name, "^sec%-fetch%-") then kind = "pass"
  elseif has(name, CREDENTIAL) then kind = "judge"
  end
  if #name > 100 then return kind end
  if kinds_size > 1000 then kinds, kinds_size = {}, 0 end
  kinds[name], kinds_size = kind, kinds_size + 1
  return kind
end

-- Values that were looked at: clients repeat themselves.
local clean, clean_size = { pairs = {}, value = {} }, 0

-- What is known of tokens that the operator of the server has chosen, and that have none of these forms: by length, the
-- first bytes of their SHA-1. See `token-marks.ts` of the proxy.
local marks, marked, shortest = nil, {}, math.huge
local LONGEST, MOST_LAYERS = 256, 8

-- `text`: `<length>:<byte>`, separated by commas; nil: there are none.
function M.set_marks(text)
  if text == marks then return end
  marks, marked, shortest = text, {}, math.huge
  clean, clean_size = { pairs = {}, value = {} }, 0
  for length, byte in gmatch(text or "", "(%d+):(%d+)") do
    length = tonumber(length)
    marked[length] = marked[length] or {}
    marked[length][tonumber(byte)] = true
    shortest = math.min(shortest, length)
  end
end

local function may_be_token(text)
  local bytes = marked[#text]
  return bytes ~= nil and bytes[ngx.sha1_bin(text):byte()] == true
end

local SCHEMES = { bearer = true, basic = true, token = true }

-- Each expression has one repetition: two of them would try every length of a row of spaces.
local function trimmed(text)
  local rest = match(text, "%S.*")
  return rest and match(rest, ".*%S") or ""
end

local function without_scheme(text)
  local scheme, rest = match(text, "^(%a+)[%s:]+(.*)$")
  return scheme and SCHEMES[scheme:lower()] and rest or nil
end

-- The text, and what is in it beside schemes and quotes: see `bareForms` of the proxy.
local function is_marked(text)
  if #text < shortest or #text > LONGEST then return false end
  for _ = 1, MOST_LAYERS do
    text = trimmed(text)
    if may_be_token(text) then return true end
    local bare = match(text, '^"(.*)"[,;]?$') or match(text, "^'(.*)'[,;]?$") or without_scheme(text)
    if not bare then return false end
    text = bare
  end
  return false
end

local function is_marked_pair(pair)
  local value = match(pair, "^[^=]*=(.*)$") or pair
  return is_marked(value) or is_marked(ngx.unescape_uri((value:gsub("%+", " "))))
end

-- Cookies, parameters of a query, and those of an address.
local SEPARATED = { "[^;]+", "[^&]+", "[^?&]+" }

local function has_mark(kind, text)
  if #text < shortest then return false end
  if kind ~= "pairs" then return is_marked(text) end
  for _, part in ipairs(SEPARATED) do
    for pair in gmatch(text, part) do if is_marked_pair(pair) then return true end end
  end
  return false
end

function M.is_clean(kind, text)
  local known = clean[kind]
  if known[text] then return true end
  if has(text, kind == "pairs" and IN_PAIRS or IN_VALUES) or has_mark(kind, text) then return false end
  if #text > 1024 then return true end
  if clean_size > 5000 then clean, clean_size = { pairs = {}, value = {} }, 0 end
  clean[kind][text], clean_size = true, clean_size + 1
  return true
end

-- What is in `Authorization` beside schemes and quotes: a client may repeat it elsewhere, and tokens that an operator
-- has chosen have no form by which they are found.
function M.credential_of(headers)
  local text = headers.authorization
  local credential = type(text) == "string" and text:match("([^%s\"']+)[%s\"',;]*$")
  return credential and #credential >= 8 and credential or nil
end

-- Whether all headers can be passed on without a judgement, but `Authorization`.
function M.are_plain(headers, credential)
  for name, value in pairs(headers) do
    local kind = kind_of(name)
    if kind == "judge" or type(value) == "table" or (kind == "proxy" and M.has_proxies) then return false end
    if kind == "drop" or kind == "proxy" then ngx.req.clear_header(name)
    elseif kind == "connection" then
      local lower = value:lower()
      if lower ~= "keep-alive" and lower ~= "close" then return false end
    elseif kind ~= "pass" then
      if not M.is_clean(kind, value) or (credential and find(value, credential, 1, true)) then return false end
    end
  end
  return true
end

return M
