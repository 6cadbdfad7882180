import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect } from 'vitest';
import { isFinished, untilRun } from '../../installation.ts';
import { until } from '../../until.ts';
import type { Flow, Scene } from '../suite.ts';

const pythonApi = `${import.meta.dirname}/../python-api.py`;

/** On the machine of the server, with its own nginx; `DSTACK_GATEWAY_HTTP_PORT` is a free port. */
export function gatewayFlows(flow: Flow): void {
  if (!existsSync('/usr/sbin/nginx')) {
    console.warn('Gateways are NOT tested with the official client: nginx is not installed');
    return;
  }
  describe('gateways', () => {
    flow('a gateway is applied, listed, changed in place and shown', async ({ client }) => {
      const apply = (domain: string) => {
        const yaml = `type: gateway\nname: door\nbackend: remote\nregion: local\ndomain: '${domain}'\ncertificate: null\n`;
        return client.run(['apply', '-f', client.write('door.dstack.yml', yaml), '-y']);
      };
      expect(await apply('*.first.test')).toMatchObject({ code: 0 });
      expect(await client.ok('gateway', 'list')).toMatch(
        /door +\S+ \(local\) +127\.0\.0\.1 +\*\.first\.test +✓ +running/,
      );
      const changed = await apply('*.doors.test');
      expect(changed).toMatchObject({ code: 0 });
      const shown = JSON.parse(await client.ok('gateway', 'list', '--json'));
      expect(shown.gateways).toMatchObject([
        { name: 'door', status: 'running', default: true, wildcard_domain: '*.doors.test' },
      ]);
      expect(await client.ok('gateway', '-v')).toMatch(/door/);
    });

    flow('a service shows its address at the gateway, and answers there', async (scene) => {
      const { client, server } = scene;
      const command = 'exec python3 -m http.server 8123 --bind $DSTACK_LISTEN_ADDRESS';
      const yaml = `type: service\nname: opened\nport: 8123\nhttps: auto\nmodel: parrot\nprobes: []\ncommands: ['${command}']\nresources: {gpu: 0}\n`;
      const session = client.start(['apply', '-f', client.write('opened.dstack.yml', yaml)]);
      session.answer('y');
      const port = server.env.DSTACK_GATEWAY_HTTP_PORT;
      const url = `http://opened.doors.test:${port}`;
      await session.until(url);
      await session.until(`${url}/v1`);
      await until(async () => (await askDoor(scene, true)) === 200);
      expect(await askDoor(scene, false)).toBe(403);
      expect(await client.python(pythonApi, 'served')).toEqual({
        ...{ url: `${url}`, model: { name: 'parrot', url: `${url}/v1` } },
      });
      session.interrupt();
      await session.until('Stop the run opened before detaching?');
      session.answer('y');
      expect((await session.ended).stdout).toContain('Stopped');
      await untilRun(server, 'opened', isFinished);
    });

    flow('a gateway is deleted', async ({ client }) => {
      await client.ok('gateway', 'delete', 'door', '-y');
      await until(async () => !(await client.ok('gateway', 'list')).includes('door'));
    });
  });
}

function askDoor({ server }: Scene, isMember: boolean): Promise<number> {
  const headers = {
    host: 'opened.doors.test',
    ...(isMember && { authorization: `Bearer ${server.token()}` }),
  };
  const port = Number(server.env.DSTACK_GATEWAY_HTTP_PORT);
  return new Promise((done, fail) => {
    const options = { host: '127.0.0.1', port, headers, agent: false as const };
    request(options, (response) => {
      text(response).then(() => done(response.statusCode ?? 0), fail);
    })
      .on('error', fail)
      .end();
  });
}
