-- What the main process tells nginx and asks of it (`plain-engine.ts`).
local clock = require "clock"

local shared = ngx.shared
local routes, counts, live = shared.dstack_routes, shared.dstack_counts, shared.dstack_live
local ejected, pages = shared.dstack_ejected, shared.dstack_pages
local sub, gmatch = string.sub, string.gmatch

local M = {}

local function body_lines()
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if not text then
    local path = ngx.req.get_body_file()
    local file = path and io.open(path, "rb")
    text = file and file:read("*a") or ""
    if file then file:close() end
  end
  return gmatch(text, "[^\n]+")
end

-- The buckets of a run or a job in which anything was counted. A list is read by being turned around once.
local function each_count(id, visit)
  local list = "l:" .. id
  for _ = 1, counts:llen(list) or 0 do
    local bucket = counts:lpop(list)
    if not bucket then return end
    counts:rpush(list, bucket)
    visit(id .. ":" .. bucket, bucket)
  end
end

-- Lines `s <key> <value>`, `d <key>`, and `c <run or job>`, of which all is forgotten; between tabs. With `?all`
-- nothing else stays in the table.
function M.push()
  local named = {}
  for line in body_lines() do
    local kind, key, value = line:match("^(%a)\t([^\t]*)\t?(.*)$")
    if kind == "s" then
      routes:set(key, value)
      named[key] = true
    elseif kind == "d" then routes:delete(key)
    elseif kind == "c" then
      each_count(key, function(one) counts:delete(one) end)
      counts:delete("l:" .. key)
      counts:delete("s:" .. key)
      counts:delete("b:" .. key)
      routes:delete("i:" .. key)
    end
  end
  if ngx.var.args == "all" then
    for _, key in ipairs(routes:get_keys(0)) do
      local is_of_table = key == "generation" or key == "marks" or key:find("^[hp]:") ~= nil
      if is_of_table and not named[key] then routes:delete(key) end
    end
  end
  -- Last: until then processes may have read what was there before.
  routes:incr("version", 1, 0)
  ngx.print(routes:get("epoch"))
end

local function add_live(add)
  for _, key in ipairs(live:get_keys(0)) do
    local pid, job = key:match("^(%d+):(.*)$")
    add("f", job, pid, live:get(key) or 0)
  end
end

local function answer_lines(write)
  local out = {}
  write(function(...) out[#out + 1] = table.concat({ ... }, "\t") end)
  ngx.print(table.concat(out, "\n"))
end

-- Requests in flight.
function M.live() answer_lines(add_live) end

-- Renews the lease (first line: milliseconds). Then the runs, each with the sum of its times that was seen last, and
-- its jobs. Only one process asks. `?more`: about further runs.
function M.tick()
  local next_line = body_lines()
  routes:set("lease", clock.now() + tonumber(next_line()))
  answer_lines(function(add)
    add("e", routes:get("epoch"))
    for line in next_line do
      local run, before, jobs = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
      local ms = counts:get("s:" .. run)
      if ms and tostring(ms) ~= before then
        add("s", run, ms)
        each_count(run, function(key, short)
          local count = counts:get(key)
          if count then add("n", run, short, count) end
        end)
        for job in gmatch(jobs, "[^,]+") do
          add("t", job, counts:get("s:" .. job) or 0)
          each_count(job, function(key, short)
            local count = counts:get(key)
            if count then add("m", job, short, count) end
          end)
        end
      end
      local begun = counts:get("b:" .. run)
      if begun then add("b", run, begun) end
    end
    if ngx.var.args == "more" then return end
    add_live(add)
    for _, key in ipairs(ejected:get_keys(0)) do
      local text = ejected:get(key)
      if text then add("x", text) end
    end
  end)
end

-- A process has ended; its requests too.
function M.ended()
  local pid = ngx.var.arg_pid
  for _, key in ipairs(live:get_keys(0)) do
    if key:match("^(%d+):") == pid then live:delete(key) end
  end
end

-- The latest requests of a run, in the form that each process has written them after it was asked for.
function M.pages()
  local run = ngx.var.arg_run
  pages:set("w:" .. run, "1", 10)
  local out = {}
  for _, key in ipairs(pages:get_keys(0)) do
    local pid, of = key:match("^a:(%d+):(.*)$")
    local text = of == run and pages:get(key)
    if text then out[#out + 1] = "p\t" .. pid .. "\t" .. text end
  end
  ngx.print(table.concat(out, "\n"))
end

function M.start()
  -- Names this memory.
  routes:add("epoch", ngx.worker.pid() .. "-" .. math.floor(clock.wall()))
end

return M
