-- Answers the lines of `answers.real.test.ts` by `answers.lua`: name, value, prefix, whether it is stripped, and host.
local answers = require "answers"

local function answer(name, value, prefix, is_stripped, host)
  if answers.is_dropped(name:lower()) then return "dropped" end
  if name == "Set-Cookie" then return answers.cookie(value, prefix, is_stripped) or "dropped" end
  if name == "Location" and is_stripped then return answers.location(value, prefix, host) end
  return value
end

return function(text)
  local out = {}
  for told in string.gmatch(text, "[^\n]+") do
    local line = told:gsub("\1", "\160")
    local name, value, prefix, stripped, host = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$")
    out[#out + 1] = answer(name, value, prefix, stripped == "1", host ~= "" and host or nil):gsub("\160", "\1")
  end
  return table.concat(out, "\n")
end
