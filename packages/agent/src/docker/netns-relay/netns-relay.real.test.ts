import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ContainerDialer, dialIntoContainer } from './dial-into-container.ts';

/** Whether network namespaces can be created and entered here. */
function canEnter(): boolean {
  try {
    execFileSync('unshare', ['-n', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Stands for a container: a namespace with only a loopback, and in it a server on 127.0.0.1 that
 * echoes what it receives and ends with the number of bytes.
 */
const APP = `
const server = require('net').createServer({ allowHalfOpen: true }, (socket) => {
  let count = 0;
  socket.on('error', () => {});
  socket.on('data', (data) => { count += data.length; socket.write(data); });
  socket.on('end', () => socket.end('|' + count));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

describe.skipIf(!canEnter())('the network of a container', () => {
  let dir: string;
  let container: ChildProcess;
  let port: number;
  let dialer: ContainerDialer;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'relay-'));
    const shell = 'ip link set lo up 2>/dev/null || ifconfig lo up; exec "$0" -e "$1"';
    container = spawn('unshare', ['-n', 'sh', '-c', shell, process.execPath, APP], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: container.stdout! }), 'line');
    port = Number(line);
    dialer = dialIntoContainer(container.pid!, { socketPath: join(dir, 'r') });
  });
  afterEach(async () => {
    await dialer.close();
    container.kill('SIGKILL');
    expect(readdirSync(dir)).toEqual([]);
    rmSync(dir, { recursive: true });
  });

  async function exchange(socket: Duplex, text: string): Promise<string> {
    socket.end(text);
    let answer = '';
    for await (const data of socket) answer += data;
    return answer;
  }

  it('is reached on its own loopback, which no other process sees', async () => {
    expect(await exchange(await dialer.dial('127.0.0.1', port), 'hello')).toBe('hello|5');
    expect(await exchange(await dialer.dial('localhost', port), '')).toBe('|0');
    expect(readlinkSync(`/proc/${container.pid}/ns/net`)).not.toBe(
      readlinkSync('/proc/self/ns/net'),
    );
  });

  it('carries many connections at once, and large ones', async () => {
    const sizes = [0, 1, 1000, 3_000_000, ...Array.from({ length: 30 }, (_, i) => i * 100)];
    const answers = await Promise.all(
      sizes.map(async (size) => exchange(await dialer.dial('127.0.0.1', port), 'x'.repeat(size))),
    );
    expect(answers.map((text) => text.length)).toEqual(
      sizes.map((size) => size + 1 + String(size).length),
    );
    expect(readdirSync(dir)).toHaveLength(1);
  });

  it('reports why nothing answers', async () => {
    await expect(dialer.dial('127.0.0.1', 1)).rejects.toThrow('ECONNREFUSED');
  });

  it('costs no process while there is no connection', async () => {
    await dialer.close();
    dialer = dialIntoContainer(container.pid!, { socketPath: join(dir, 'r'), idleMs: 1 });
    expect(readdirSync(dir)).toEqual([]);
    const socket = await dialer.dial('127.0.0.1', port);
    const [name] = readdirSync(dir);
    await exchange(socket, 'a');
    while (existsSync(join(dir, name!))) await new Promise((resolve) => setImmediate(resolve));
    expect(await exchange(await dialer.dial('127.0.0.1', port), 'again')).toBe('again|5');
  });

  it('ends with the container', async () => {
    const socket = await dialer.dial('127.0.0.1', port);
    const ended = once(socket, 'end');
    socket.resume();
    const exited = once(container, 'exit');
    container.kill('SIGKILL');
    await exited;
    await ended;
    await dialer.close();
    await expect(dialer.dial('127.0.0.1', port)).rejects.toThrow('has ended');
    expect(() => dialIntoContainer(container.pid!, { socketPath: join(dir, 'r') })).toThrow();
  });
});
