import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Duplex, PassThrough, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { expect, it, vi } from 'vitest';
import type { SessionProcess } from '../executor/session-host.ts';
import { DockerSessionHost } from './docker-session-host.ts';

const account = { username: 'root', uid: 0, gid: 0, home: '/', shell: null };
const terminal = { term: 'xterm', rows: 24, cols: 80 };

interface FakeExec {
  start(): Promise<Duplex>;
  resize(size: { readonly h: number; readonly w: number }): Promise<void>;
  inspect(): Promise<{ readonly Running: boolean; readonly Pid: number | undefined }>;
}

/** Starts a shell with a terminal in a container whose Engine is `exec`. */
function startShell(exec: FakeExec): Promise<SessionProcess> {
  const container = { exec: async () => exec } as unknown as Docker.Container;
  const host = new DockerSessionHost({
    ...{ container, account, workingDir: '/', pid: process.pid },
    listen: () => Promise.reject(new Error('nothing listens here')),
  });
  return host.start({ account: { ...account, groups: [] }, argv: ['sh'], env: {}, terminal });
}

it('ends a terminal’s command whose process the Engine reports late', async () => {
  const command = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  let looks = 0;
  const started = await startShell({
    start: async () => new PassThrough(),
    resize: async () => {},
    inspect: async () => ({ Running: true, Pid: ++looks < 3 ? 0 : command.pid }),
  });
  const ended = once(command, 'exit');
  started.hangUp();
  expect(await ended).toEqual([null, 'SIGHUP']);
});

it('passes input to a terminal once that has its size', async () => {
  let exists = false;
  let size = '0 0';
  const taken: string[] = [];
  const started = await startShell({
    start: async () =>
      new Writable({
        write: (chunk, _encoding, done) => {
          taken.push(`${chunk} at ${size}`);
          done();
        },
      }) as Duplex,
    resize: async ({ h, w }) => {
      // The Engine reports success also for a terminal that does not exist yet.
      await delay(1);
      if (exists) size = `${h} ${w}`;
    },
    inspect: async () => {
      const Pid = exists ? process.pid : 0;
      exists = true;
      return { Running: true, Pid };
    },
  });
  started.stdin.write('stty size');
  await vi.waitFor(() => expect(taken).toEqual(['stty size at 24 80']), { interval: 5 });
});

it('ends a terminal’s command that never had a size', async () => {
  const stream = new PassThrough();
  const started = await startShell({
    start: async () => stream,
    resize: () => Promise.reject(new Error('the command does not run')),
    inspect: async () => ({ Running: false, Pid: 0, ExitCode: 3 }),
  });
  started.stdin.write('lost');
  stream.end();
  expect(await started.run(async () => {})).toBe(3);
});
