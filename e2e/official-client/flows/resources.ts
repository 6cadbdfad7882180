import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isRunning, showRun, untilRun } from '../../installation.ts';
import type { Flow } from '../suite.ts';

export function resourceFlows(flow: Flow): void {
  describe('services', () => {
    flow('a service runs detached and shows its address', async ({ client, server }) => {
      const file = client.write(
        'served.dstack.yml',
        'type: service\nname: served\nport: 8000\ncommands: [exec sleep 600]\nresources: {gpu: 0}\n',
      );
      expect(await client.ok('apply', '-f', file, '-y', '-d')).toContain('Run served submitted');
      await untilRun(server, 'served', isRunning);
      expect(await showRun(server, 'served')).toMatchObject({
        service: { url: '/proxy/services/main/served/' },
      });
      expect(await client.ok('ps')).toMatch(/served .*running/);
      await client.ok('stop', 'served', '-x', '-y');
    });

    flow('a service shows its address when it is applied, and answers there', async (scene) => {
      const { client, server } = scene;
      const command = 'exec python3 -m http.server 8123 --bind $DSTACK_LISTEN_ADDRESS';
      const yaml = `type: service\nname: answering\nport: 8123\nmodel: parrot\nprobes: []\ncommands: ['${command}']\nresources: {gpu: 0}\n`;
      const session = client.start(['apply', '-f', client.write('answering.dstack.yml', yaml)]);
      session.answer('y');
      const url = `${server.url}/proxy/services/main/answering/`;
      await session.until(url);
      await session.until(`${url}v1`);
      const headers = { authorization: `Bearer ${server.token()}` };
      let answer = await fetch(url, { headers });
      while (answer.status === 502) answer = await fetch(url, { headers });
      expect([answer.status, await answer.text()]).toEqual([
        200,
        expect.stringContaining('Directory listing'),
      ]);
      expect((await fetch(url)).status).toBe(403);
      session.interrupt();
      await session.until('Stop the run answering before detaching?');
      session.answer('y');
      expect((await session.ended).stdout).toContain('Stopped');
    });
  });

  describe('secrets', () => {
    flow('are set, shown and set again', async ({ client }) => {
      await client.ok('secret', 'set', 'my_token', 'first');
      expect(await client.ok('secret', 'get', 'my_token')).toMatch(/my_token +first/);
      await client.ok('secret', 'set', 'my_token', 'second');
      expect(await client.ok('secret', 'get', 'my_token')).toMatch(/my_token +second/);
    });

    flow('are listed without values', async ({ client }) => {
      const listed = await client.ok('secret', 'list');
      expect(listed).toMatch(/my_token +\*+/);
      expect(listed).not.toContain('second');
    });

    flow('are deleted', async ({ client }) => {
      await client.ok('secret', 'delete', 'my_token', '-y');
      expect(await client.ok('secret', 'list')).not.toContain('my_token');
      expect((await client.run(['secret', 'get', 'my_token'])).code).toBe(1);
      expect((await client.run(['secret', 'delete', 'my_token', '-y'])).code).toBe(1);
    });
  });

  describe('repositories', () => {
    flow('a clone is initialised', async ({ client }) => {
      const url = 'https://example.com/team/code.git';
      const origin = join(client.home, 'origin');
      const env = {
        GIT_CONFIG_COUNT: '2',
        // Reached without a network; for the client it is a public repository on the web.
        GIT_CONFIG_KEY_0: `url.file://${origin}.insteadOf`,
        GIT_CONFIG_VALUE_0: url,
        GIT_CONFIG_KEY_1: 'protocol.file.allow',
        GIT_CONFIG_VALUE_1: 'always',
      };
      const git = (...args: string[]) =>
        execFileSync('git', args, { env: { ...process.env, ...env }, stdio: 'pipe' });
      const author = ['-c', 'user.name=someone', '-c', 'user.email=someone@example.com'];
      git('init', '-q', '-b', 'main', origin);
      git('-C', origin, ...author, 'commit', '-q', '--allow-empty', '-m', 'first');
      git('clone', '-q', url, join(client.home, 'code'));
      const { code, stdout } = await client.run(['init', '--repo', 'code'], { env });
      expect(stdout).toContain('OK');
      expect(code).toBe(0);
    });

    flow('a folder without one is refused', async ({ client }) => {
      const { code, stdout } = await client.run(['init']);
      expect(code).toBe(1);
      expect(stdout).toContain('Git repo not found');
    });
  });

  describe('missing resources', () => {
    for (const kind of ['volume', 'gateway', 'export', 'import']) {
      flow(`${kind}s are listed`, async ({ client }) => {
        expect(await client.ok(kind, 'list')).toContain('NAME');
        await client.ok(kind);
      });
    }

    flow('deleting a missing volume or gateway is an error', async ({ client }) => {
      for (const kind of ['volume', 'gateway'])
        expect((await client.run([kind, 'delete', 'nosuch', '-y'])).code).toBe(1);
    });
  });
}
