-- The head of an answer of an app below a path of the API's origin, as `head/headers.ts` of the proxy changes it:
-- nothing in it may affect more than that path. `answers.real.test.ts` holds both equal.
local find, gmatch, gsub, match, sub = string.find, string.gmatch, string.gsub, string.match, string.sub

local M = {}

-- Headers that browsers apply to the whole origin, and this server's own.
local DROPPED = {
  ["alt-svc"] = true, ["clear-site-data"] = true, date = true, ["expect-ct"] = true, nel = true,
  ["public-key-pins"] = true, ["public-key-pins-report-only"] = true, ["report-to"] = true,
  ["reporting-endpoints"] = true, server = true, ["service-worker-allowed"] = true, ["set-cookie2"] = true,
  ["strict-transport-security"] = true,
}

-- `name`: lower case.
function M.is_dropped(name) return DROPPED[name] == true or find(name, "^x%-dstack%-") ~= nil end

-- Space as JavaScript knows it: in ISO 8859-1, byte 160 is one. Each expression has one repetition.
local function trimmed(text)
  local rest = match(text, "[^%s\160].*")
  return rest and match(rest, ".*[^%s\160]") or ""
end

local function is_own_cookie(pair)
  local name = trimmed(pair)
  if sub(name, 1, 1) == "=" then name = trimmed(sub(name, 2)) end
  name = name:lower()
  return (find(name, "^dstack") or find(name, "^__host%-dstack") or find(name, "^__secure%-dstack")) ~= nil
end

local function starts_with(text, start) return sub(text, 1, #start) == start end

local function is_below(path, prefix) return path == prefix or starts_with(path, prefix .. "/") end

local function confined_path(path, prefix, is_stripped)
  if is_below(path, prefix) then return path end
  return is_stripped and starts_with(path, "/") and prefix .. path or prefix .. "/"
end

-- The value of `Set-Cookie` by which browsers send the cookie to the service alone; nil: it has a name of this server's.
function M.cookie(text, prefix, is_stripped)
  local kept, path = {}, ""
  for part in gmatch(text .. ";", "([^;]*);") do
    local name, value = match(part, "^([^=]*)=?(.*)$")
    local key = trimmed(name):lower()
    if #kept == 0 then
      if is_own_cookie(part) then return nil end
      kept[1] = part
    elseif key == "path" then path = trimmed(value)
    elseif key ~= "domain" then kept[#kept + 1] = part
    end
  end
  kept[#kept + 1] = " Path=" .. confined_path(path, prefix, is_stripped)
  return table.concat(kept, ";")
end

-- With and without the port that the scheme has by default.
local function is_same_host(origin, authority, host)
  if not host then return false end
  local usual = find(origin, "^https:") and ":443$" or ":80$"
  return gsub(authority, usual, "") == gsub(host:lower(), usual, "")
end

-- A redirect within a service whose app receives paths without `prefix`. `host`: as the client has sent it.
function M.location(text, prefix, host)
  local origin = match(text:lower(), "^https?://[^/?#]*") or ""
  local path = sub(text, #origin + 1)
  if not find(path, "^/") or find(path, "^//") then return text end
  if origin ~= "" and not is_same_host(origin, match(origin, "^https?://(.*)$"), host) then return text end
  if is_below(path, prefix) then return text end
  return sub(text, 1, #origin) .. prefix .. path
end

return M
