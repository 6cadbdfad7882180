-- Answers the lines of `certificates.real.test.ts`: the text of the file of a name, and the milliseconds since the line
-- before. Which text the client then gets.
local clock = require "clock"

local now, presented = 0, nil
clock.now = function() return now end
package.loaded["ngx.ssl"] = {
  server_name = function() return "web.test" end,
  parse_pem_cert = function(text) return text ~= "broken" and text or nil end,
  parse_pem_priv_key = function(text) return text end,
  clear_certs = function() presented = nil return true end,
  set_cert = function(chain) presented = chain return true end,
  set_priv_key = function() return true end,
}
local certificates = require "certificates"

return function(text)
  local folder, out = nil, {}
  for line in text:gmatch("[^\n]+") do
    if not folder then
      folder = line
      certificates.folder = folder
    else
      local ms, content = line:match("^(%d+) (.*)$")
      now = now + tonumber(ms)
      local file = assert(io.open(folder .. "/web.test.pem", "wb"))
      file:write(content)
      file:close()
      certificates.present()
      out[#out + 1] = presented or "none"
    end
  end
  return table.concat(out, "\n")
end
