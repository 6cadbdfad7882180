import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createEventLogger } from './host/log.ts';
import type { JobAccess, JobAccessOptions, OpenJobAccess } from './jobs/job-access.ts';
import { lateJobAccess } from './late-job-access.ts';

const opened: JobAccess[] = [];
afterEach(async () => {
  for (const access of opened.splice(0)) await access.close();
});

/** An SSH server that answers each connection with the user's keys and what the client has sent first. */
class FakeSsh {
  loads = 0;
  opens = 0;
  fails = 0;
  keys: readonly string[] = [];

  readonly load = async (): Promise<OpenJobAccess> => {
    this.loads++;
    return async ({ openPort, spec }) => {
      if (this.fails-- > 0) throw new Error('cannot be loaded');
      this.opens++;
      this.keys = spec.authorized_keys.user;
      openPort?.on('connection', (socket: Socket) =>
        socket.once('data', (data) => socket.end(`${this.keys} ${data}`)),
      );
      return {
        port: 0,
        lastActivity: () => 7,
        authorizeUsers: (keys) => {
          this.keys = keys;
        },
        ended: async () => {},
        close: async () => {
          openPort?.close();
        },
      };
    };
  };
}

async function open(ssh: FakeSsh, more: Partial<JobAccessOptions> = {}, nodes = 1) {
  const spec = { id: 'job', jobs_per_replica: nodes, authorized_keys: { user: ['first'] } };
  const options = { preferredPort: null, spec, ...more } as unknown as JobAccessOptions;
  const access = await lateJobAccess(
    ssh.load,
    createEventLogger(() => {}),
  )(options);
  if (access === null) throw new Error('no access');
  opened.push(access);
  return access;
}

async function answer(port: number, text = 'hello'): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let received = '';
  socket.on('data', (data) => {
    received += data;
  });
  await once(socket, 'close');
  return received;
}

describe('the SSH server of a job in a container', () => {
  it('is loaded by the first connection, and serves what came meanwhile', async () => {
    const ssh = new FakeSsh();
    const access = await open(ssh);
    expect([ssh.loads, access.lastActivity()]).toEqual([0, null]);
    const both = [answer(access.port, 'one'), answer(access.port, 'two')];
    expect(await Promise.all(both)).toEqual(['first one', 'first two']);
    expect(await answer(access.port, 'three')).toBe('first three');
    expect([ssh.loads, ssh.opens, access.lastActivity()]).toEqual([1, 1, 7]);
  });

  it('knows the keys that replaced the first ones before it was loaded', async () => {
    const ssh = new FakeSsh();
    const access = await open(ssh);
    access.authorizeUsers(['second']);
    expect(await answer(access.port)).toBe('second hello');
    access.authorizeUsers(['third']);
    expect(await answer(access.port)).toBe('third hello');
  });

  it('is tried again by the next connection if it cannot be loaded', async () => {
    const ssh = new FakeSsh();
    ssh.fails = 1;
    const access = await open(ssh);
    expect(await answer(access.port)).toBe('');
    expect(await answer(access.port)).toBe('first hello');
  });

  it('keeps the port that clients already use, or takes another one', async () => {
    const first = await open(new FakeSsh());
    const second = await open(new FakeSsh(), { preferredPort: first.port });
    expect(second.port).not.toBe(first.port);
    await first.close();
    const third = await open(new FakeSsh(), { preferredPort: first.port });
    expect(third.port).toBe(first.port);
  });

  it('is there at once in a run of several nodes', async () => {
    const ssh = new FakeSsh();
    await open(ssh, {}, 2);
    expect(ssh.opens).toBe(1);
  });

  it('closes its port without having been loaded', async () => {
    const ssh = new FakeSsh();
    const access = await open(ssh);
    await access.close();
    await expect(answer(access.port)).rejects.toThrow('ECONNREFUSED');
    expect(ssh.loads).toBe(0);
  });
});
