/** The policy in Lua is that of the proxy. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { controlOf } from './plain-control.ts';
import { run, table } from './testing/policy-cases.ts';

const MODULES = '/usr/lib/nginx/modules';
const hasModule = existsSync(`${MODULES}/ngx_http_lua_module.so`);
if (process.env.CI && !hasModule)
  throw new Error('nginx has no module for Lua: libnginx-mod-http-lua');

it.skipIf(!hasModule)('answers each case of the table as the proxy does', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-policy-'));
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
  lua_package_path "${folder}/?.lua;${folder}/testing/?.lua;;";
  server {
    listen unix:${dir}/nginx.sock;
    location / {
      content_by_lua_block {
        ngx.req.read_body()
        ngx.print(require("policy-cases")(ngx.req.get_body_data()))
      }
    }
  }
}`,
  );
  const nginx = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: 'ignore' });
  try {
    const ask = controlOf(join(dir, 'nginx.sock'));
    await expect.poll(() => existsSync(join(dir, 'nginx.sock')), { timeout: 10_000 }).toBe(true);
    const lines = table();
    const inLua = (await ask('/', lines.join('\n'))).split('\n');
    const inProxy = run(lines);
    const differs = lines.flatMap((line, n) =>
      isSame(inLua[n] ?? '', inProxy[n] ?? '') ? [] : [[line, inLua[n], inProxy[n]]],
    );
    expect([inLua.length, differs]).toEqual([lines.length, []]);
    const countOf = (cause: string) => inProxy.filter((one) => one.startsWith(cause)).length;
    // The table has what it is about.
    expect(countOf('errors_in_row')).toBeGreaterThan(20);
    expect(countOf('error_rate')).toBeGreaterThan(5);
  } finally {
    nginx.kill();
    await once(nginx, 'exit');
    rmSync(dir, { recursive: true, force: true });
  }
});

/** Powers may differ in their last digit. */
function isSame(one: string, other: string): boolean {
  const others = other.split(' ');
  const words = one.split(' ');
  if (words.length !== others.length) return false;
  return words.every((word, n) => {
    const [a, b] = [Number(word), Number(others[n])];
    if (Number.isNaN(a)) return word === others[n];
    return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
  });
}
