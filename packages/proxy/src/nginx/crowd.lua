-- Keeps room for new connections. nginx closes those between two requests when it needs room, but not those with a part
-- of a head, which a stranger may open in any number.
local ffi = require "ffi"
local clock = require "clock"

pcall(ffi.cdef, [[
  int getpeername(int fd, void *name, unsigned int *length);
  int getsockname(int fd, void *name, unsigned int *length);
  int getsockopt(int fd, int level, int option, void *value, unsigned int *length);
  int shutdown(int fd, int how);
  typedef struct { uint64_t ino; int64_t off; unsigned short length; unsigned char type; char name[256]; } dstack_entry;
  void *opendir(const char *name); dstack_entry *readdir(void *dir); int closedir(void *dir);
]])
local C = ffi.C
local AF_INET, AF_INET6, READING = 2, 10, 0
local SOL_SOCKET, SO_ACCEPTCONN = 1, 30
local MAPPED = ("\0"):rep(10) .. "\255\255"

-- Seconds between two looks: usually, and after one that has closed some.
local LOOK, SOON = 1, 0.2
local LOG_EVERY = 60000

-- Connections that a process may have; nil = none is closed.
local M = { most = nil }

-- By address and port of the client: how many requests are under way, since when there is none, and since when there has
-- never been one.
local requests, idle, silent = {}, {}, {}
local idle_size = 0
local name, length, value = ffi.new("uint8_t[128]"), ffi.new("unsigned int[1]"), ffi.new("int[1]")
local logged = nil

local function key_of(var) return var.binary_remote_addr .. var.remote_port end

-- The head of a request is complete.
function M.enter()
  local var = ngx.var
  -- A request comes here again when another location is to answer it.
  if var.dstack_entered == "1" then return end
  var.dstack_entered = "1"
  local key = key_of(var)
  requests[key] = (requests[key] or 0) + 1
end

-- Its answer has ended.
function M.leave()
  local var = ngx.var
  -- It was refused before.
  if var.dstack_entered ~= "1" then return end
  local key = key_of(var)
  local left = (requests[key] or 1) - 1
  requests[key] = left > 0 and left or nil
  if left > 0 then return end
  if not idle[key] then idle_size = idle_size + 1 end
  idle[key] = clock.now()
end

local function descriptors()
  local found = {}
  local dir = C.opendir("/proc/self/fd")
  if dir == nil then return found end
  local entry = C.readdir(dir)
  while entry ~= nil do
    found[#found + 1] = tonumber(ffi.string(entry.name))
    entry = C.readdir(dir)
  end
  C.closedir(dir)
  return found
end

-- `read`: writes an address of the socket to `name`. Family and port; nil = it has no address with a port.
local function address_by(read, fd)
  length[0] = ffi.sizeof(name)
  if read(fd, name, length) ~= 0 then return nil end
  local family = name[0] + name[1] * 256
  if family ~= AF_INET and family ~= AF_INET6 then return nil end
  return family, name[2] * 256 + name[3]
end

local function is_listening(fd)
  length[0] = ffi.sizeof(value)
  return C.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, length) == 0 and value[0] == 1
end

-- Ports at which clients connect: nginx has connections with addresses to those who answer, too.
local function ports_of(fds)
  local ports = {}
  for _, fd in ipairs(fds) do
    if is_listening(fd) then
      local family, port = address_by(C.getsockname, fd)
      if family then ports[port] = true end
    end
  end
  return ports
end

-- Key of the client and its network, as `networkOf` has it; nil = no client is at the other end.
local function client_of(fd, ports)
  local own, local_port = address_by(C.getsockname, fd)
  if not own or not ports[local_port] then return nil end
  local family, port = address_by(C.getpeername, fd)
  if not family then return nil end
  local address = family == AF_INET and ffi.string(name + 4, 4) or ffi.string(name + 8, 16)
  local network = address
  if family == AF_INET6 then network = address:sub(1, 12) == MAPPED and address:sub(13) or address:sub(1, 8) end
  return address .. port, network
end

-- How many each network keeps, so that all together keep `most`: those with fewer keep all.
local function share_of(networks, most)
  local sizes = {}
  for _, waiting in pairs(networks) do sizes[#sizes + 1] = #waiting end
  table.sort(sizes)
  for n, size in ipairs(sizes) do
    local left = #sizes - n + 1
    if size * left > most then return math.floor(most / left) end
    most = most - size
  end
  return math.huge
end

-- First those without a complete request, as a client may send its next one at any time; then those that wait for longest.
local function is_before(a, b)
  if a.is_silent ~= b.is_silent then return a.is_silent end
  return a.since < b.since or (a.since == b.since and a.fd < b.fd)
end

local function close_above(networks, most)
  local share, closed = share_of(networks, most), 0
  for _, waiting in pairs(networks) do
    if #waiting > share then
      table.sort(waiting, is_before)
      for n = 1, #waiting - share do
        -- nginx answers what has arrived, finds it ended then, and closes it.
        C.shutdown(waiting[n].fd, READING)
        closed = closed + 1
      end
    end
  end
  return closed
end

-- Those without a request, by network, and how many. Forgets clients that have left.
local function waiting_ones(fds)
  local now, ports, networks, count = clock.now(), ports_of(fds), {}, 0
  local kept_requests, kept_idle, kept_silent = {}, {}, {}
  idle_size = 0
  for _, fd in ipairs(fds) do
    local key, network = client_of(fd, ports)
    if key and requests[key] then
      kept_requests[key] = requests[key]
    elseif key then
      local since = idle[key]
      if since then
        kept_idle[key], idle_size = since, idle_size + 1
      else
        kept_silent[key] = silent[key] or now
      end
      local waiting = networks[network] or {}
      networks[network] = waiting
      waiting[#waiting + 1] = { fd = fd, since = since or kept_silent[key], is_silent = since == nil }
      count = count + 1
    end
  end
  requests, idle, silent = kept_requests, kept_idle, kept_silent
  return networks, count
end

-- Returns how many were closed.
local function look()
  local fds = descriptors()
  if #fds <= M.most / 2 then
    silent = {}
    -- Most of them are of clients that have left.
    if idle_size > M.most then idle, idle_size = {}, 0 end
    return 0
  end
  local networks, waiting = waiting_ones(fds)
  -- Half of what requests leave free stays free; with the files of nginx itself, they may leave less than nothing.
  local left = math.max(0, M.most - #fds + waiting)
  local closed = close_above(networks, math.min(M.most / 4, left / 2))
  local now = clock.now()
  if closed > 0 and (not logged or now - logged > LOG_EVERY) then
    logged = now
    ngx.log(ngx.WARN, closed, " connections without a request were closed, as there are ", #fds, " of ", M.most)
  end
  return closed
end

local function look_again(premature)
  if premature then return end
  local is_fine, closed = pcall(look)
  if not is_fine then ngx.log(ngx.ERR, "connections are not bounded: ", closed) end
  ngx.timer.at(is_fine and closed > 0 and SOON or LOOK, look_again)
end

function M.start()
  if M.most then ngx.timer.at(LOOK, look_again) end
end

return M
