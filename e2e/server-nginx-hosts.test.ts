/** Services with host names of their own, at a server whose address nginx has. */
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort, type Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { until } from './until.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));

let home: Installation;
let port: number;
beforeAll(async () => {
  port = await freePort();
  home = newInstallation({
    ...{ DSTACK_SERVER_PROXY: 'nginx', DSTACK_SERVER_PROXY_WORKERS: '1' },
    DSTACK_SERVER_URL: `http://127.0.0.1:${port}`,
    DSTACK_SERVER_SERVICES_URL: `http://*.apps.localhost:${port}`,
  });
  await home.startServer('--port', String(port));
  await applyFleet(home, '0..1');
});
afterAll(async () => {
  await home?.stopServer();
  await home?.dispose();
});

async function get(host: string, path: string): Promise<{ status: number; body: string }> {
  const outgoing = request({ host: '127.0.0.1', port, path, headers: { host } }).end();
  return await new Promise((resolve, reject) => {
    outgoing.on('error', reject).on('response', (response) => {
      const answer = (body: string) => resolve({ status: response.statusCode ?? 0, body });
      text(response).then(answer, reject);
    });
  });
}

it('paths like those of the API are the own ones of an app at its host name', async () => {
  const yaml = `type: service\nname: web\nport: 8000\nauth: false\nprobes: []\nresources: {gpu: 0}\ncommands: ['exec ${app}']\n`;
  await home.ok('apply', '-f', configuration(home, 'web.dstack.yml', yaml), '-y', '-d');
  const { host } = new URL((await home.ok('open', 'web', '--print')).trim());
  await until(async () => (await get(host, '/kilobyte')).status === 200);
  for (const path of ['/proxy/services/main/web/seen', '/api/server/get_info']) {
    expect(JSON.parse((await get(host, path)).body)).toMatchObject({ url: path });
  }
  const own = `127.0.0.1:${port}`;
  expect(await get(own, '/proxy/services/main/web/kilobyte')).toMatchObject({ status: 200 });
  expect((await get(own, '/healthcheck')).body).toContain('running');
  expect((await get(`other.apps.localhost:${port}`, '/')).status).toBe(404);
});
