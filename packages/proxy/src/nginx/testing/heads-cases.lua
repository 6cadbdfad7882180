-- Answers the lines of `heads.real.test.ts` by `heads.lua`: `marks <text>`, `value <text>` or `pairs <text>`.
local heads = require "heads"

return function(text)
  local out = {}
  for line in string.gmatch(text, "[^\n]+") do
    local kind, rest = line:match("^(%a+) (.*)$")
    if kind == "marks" then
      heads.set_marks(rest ~= "" and rest or nil)
      out[#out + 1] = "marks"
    else
      -- The second answer is remembered.
      local first = heads.is_clean(kind, rest)
      out[#out + 1] = first == heads.is_clean(kind, rest) and (first and "clean" or "judge") or "differs"
    end
  end
  return table.concat(out, "\n")
end
