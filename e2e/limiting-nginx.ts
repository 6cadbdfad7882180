import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { freePort } from './serving.ts';

/** The rate limits in the configuration of a service. */
export const LIMITS =
  'rate_limits: [{prefix: /limited, rps: 0.02, burst: 3}, {prefix: /limited/more, rps: 0.02, burst: 7}]\n';

/**
 * An nginx with `LIMITS` as dstack 0.22.5 writes them, until the test ends; the paths of the test exist.
 */
export async function startLimitingNginx(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-limits-'));
  chmodSync(dir, 0o755);
  for (const path of ['x', 'limitedly', 'limited/x', 'limited/more/x']) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), '');
  }
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${dir}/${name};`)
    .join(' ');
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; pid ${dir}/pid; error_log ${dir}/error.log; events {}
http {
  access_log off; ${temporary} root ${dir}; limit_req_status 429;
  limit_req_zone $binary_remote_addr zone=some:1m rate=1r/m;
  limit_req_zone $binary_remote_addr zone=more:1m rate=1r/m;
  server {
    listen 127.0.0.1:${port};
    location /limited { limit_req zone=some burst=3 nodelay; }
    location /limited/more { limit_req zone=more burst=7 nodelay; }
  }
}`,
  );
  const nginx = spawn('/usr/sbin/nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], {
    stdio: 'ignore',
  });
  onTestFinished(() => {
    nginx.kill();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  const url = `http://127.0.0.1:${port}`;
  await vi.waitFor(() => fetch(url), { timeout: 20_000 });
  return url;
}
