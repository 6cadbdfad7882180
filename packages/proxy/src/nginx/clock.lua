-- The wall clock may be set. Durations and deadlines are of another one, which all processes of nginx share.
local ffi = require "ffi"

pcall(ffi.cdef, "typedef struct { long s; long ns; } dstack_time; int clock_gettime(int clock, dstack_time *time);")
local CLOCK_MONOTONIC = 1
local time = ffi.new("dstack_time[1]")

local M = {}

-- Milliseconds.
function M.now()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time[0].s) * 1000 + tonumber(time[0].ns) / 1e6
end

-- Milliseconds since the epoch.
function M.wall() return ngx.now() * 1000 end

return M
