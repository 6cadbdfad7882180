/** A nginx that answers by one module in Lua, beside the modules of the product. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Control, controlOf } from '../plain-control.ts';

const MODULES = '/usr/lib/nginx/modules';
export const hasLua = existsSync(`${MODULES}/ngx_http_lua_module.so`);
if (process.env.CI && !hasLua)
  throw new Error('nginx has no module for Lua: libnginx-mod-http-lua');

/** `module`: of this folder; a function that answers the body of a request. */
export async function withLua(module: string, use: (ask: Control) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-lua-'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${dir}/${name};`)
    .join(' ');
  const folder = import.meta.dirname;
  writeFileSync(
    join(dir, 'nginx.conf'),
    `load_module ${MODULES}/ndk_http_module.so; load_module ${MODULES}/ngx_http_lua_module.so;
daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log; events {}
http {
  access_log off; ${temporary} client_body_buffer_size 8m; client_max_body_size 8m;
  lua_package_path "${folder}/../?.lua;${folder}/?.lua;;";
  server {
    listen unix:${dir}/nginx.sock;
    location / {
      content_by_lua_block {
        ngx.req.read_body()
        ngx.print(require("${module}")(ngx.req.get_body_data()))
      }
    }
  }
}`,
  );
  const nginx = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: 'ignore' });
  try {
    const ask = controlOf(join(dir, 'nginx.sock'));
    await expect.poll(() => existsSync(join(dir, 'nginx.sock')), { timeout: 10_000 }).toBe(true);
    await use(ask);
  } finally {
    nginx.kill();
    await once(nginx, 'exit');
    rmSync(dir, { recursive: true, force: true });
  }
}
