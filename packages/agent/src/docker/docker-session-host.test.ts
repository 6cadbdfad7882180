import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { expect, it } from 'vitest';
import { DockerSessionHost } from './docker-session-host.ts';

it('ends a terminal’s command whose process the Engine reports late', async () => {
  const command = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  let looks = 0;
  const exec = {
    start: async () => new PassThrough(),
    resize: async () => {},
    inspect: async () => ({ Running: true, Pid: ++looks < 3 ? 0 : command.pid }),
  };
  const container = { exec: async () => exec } as unknown as Docker.Container;
  const account = { username: 'root', uid: 0, gid: 0, home: '/', shell: null };
  const host = new DockerSessionHost({
    ...{ container, account, workingDir: '/', pid: process.pid },
    listen: () => Promise.reject(new Error('nothing listens here')),
  });
  const terminal = { term: 'xterm', rows: 24, cols: 80 };
  const request = { account: { ...account, groups: [] }, argv: ['sleep'], env: {}, terminal };
  const started = await host.start(request);
  const ended = once(command, 'exit');
  started.hangUp();
  expect(await ended).toEqual([null, 'SIGHUP']);
});
