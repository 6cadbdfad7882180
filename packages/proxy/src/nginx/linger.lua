-- The end of an nginx that nothing needs any more: its main process has not renewed the lease of its table for long, and
-- nothing listens behind it.
local ffi = require "ffi"
local clock = require "clock"

local routes = ngx.shared.dstack_routes

pcall(ffi.cdef, "int getppid(void); int kill(int pid, int signal);")
local SIGQUIT = 3
-- Milliseconds between two looks, at most.
local LOOK = 10000

-- `ms` nil: it does not end by itself. `pid_file`: of the master process.
local M = { behind = {}, ms = nil, pid_file = "" }

function M.load(behind, ms, pid_file) M.behind, M.ms, M.pid_file = behind, ms, pid_file end

local function is_any_there()
  for _, path in ipairs(M.behind) do
    local socket = ngx.socket.tcp()
    socket:settimeouts(1000, 1000, 1000)
    local found = socket:connect("unix:" .. path)
    socket:close()
    if found then return true end
  end
  return false
end

-- The parent of a worker whose master process was killed is a stranger, who must not be signalled.
local function master()
  local file = io.open(M.pid_file)
  local pid = file and tonumber((file:read("*a")))
  if file then file:close() end
  return pid and pid == ffi.C.getppid() and pid or nil
end

-- After the requests under way. A worker without a master process ends alone.
local function finish()
  ngx.log(ngx.WARN, "no server has come back: nginx ends")
  ffi.C.kill(master() or ngx.worker.pid(), SIGQUIT)
end

function M.start()
  if not M.ms then return end
  -- Of an nginx that no main process has reached yet.
  routes:add("lease", clock.now())
  ngx.timer.every(math.min(LOOK, M.ms / 2) / 1000, function(premature)
    if premature or ngx.worker.exiting() then return end
    if clock.now() - (routes:get("lease") or 0) > M.ms and not is_any_there() then finish() end
  end)
end

return M
