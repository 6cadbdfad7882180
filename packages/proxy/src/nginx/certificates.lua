-- Certificates of TLS connections, by the name that the client has sent. nginx itself would read the file of a name for
-- each handshake; here each process keeps what it has read.
local clock = require "clock"
local ssl = require "ngx.ssl"

local M = {}

-- Milliseconds after which a file is read again, or a missing one is looked for again. The certificate that a renewed one
-- replaces may be about to end.
local AGAIN = 1000
local MOST = 2000

-- Only names of hosts reach the path of a file.
local NAME = "^[a-z0-9][a-z0-9-]*([.][a-z0-9][a-z0-9-]*)*$"

local known, size = {}, 0

local function remember(name, found)
  if not known[name] then
    if size >= MOST then known, size = {}, 0 end
    size = size + 1
  end
  known[name] = found
  return found
end

local function read(name, now)
  local file = io.open(M.folder .. "/" .. name .. ".pem", "rb")
  if not file then return remember(name, { until_ms = now + AGAIN }) end
  local text = file:read("*a")
  file:close()
  local before = known[name]
  if before and before.text == text then
    before.until_ms = now + AGAIN
    return before
  end
  local chain, key = ssl.parse_pem_cert(text), ssl.parse_pem_priv_key(text)
  if chain and key then return remember(name, { text = text, chain = chain, key = key, until_ms = now + AGAIN }) end
  -- What cannot be read replaces nothing.
  local kept = before or {}
  kept.until_ms = now + AGAIN
  return remember(name, kept)
end

-- Without a certificate for its name a handshake fails.
function M.present()
  local name, now = ssl.server_name(), clock.now()
  if not name or #name > 253 or not ngx.re.find(name, NAME, "jo") then return ngx.exit(ngx.ERROR) end
  local found = known[name]
  if not found or now >= found.until_ms then found = read(name, now) end
  if not found.chain then return ngx.exit(ngx.ERROR) end
  ssl.clear_certs()
  if not ssl.set_cert(found.chain) or not ssl.set_priv_key(found.key) then return ngx.exit(ngx.ERROR) end
end

return M
