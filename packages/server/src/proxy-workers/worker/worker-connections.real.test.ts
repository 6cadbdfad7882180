/** Processes that share one listening socket. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { listenerFd } from '../listener-fd.ts';
import { spawnWorker } from '../spawn-worker.ts';

const program = join(import.meta.dirname, 'testing', 'sharing-worker.ts');
const pids = new Set<number>();
const opened = new Set<Connection>();

afterEach(() => {
  for (const connection of opened) connection.close();
  opened.clear();
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  pids.clear();
});

/** A connection of a client, which stays open. */
class Connection {
  readonly #socket: Socket;
  #text = '';

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1').setEncoding('latin1');
    this.#socket.on('data', (text) => {
      this.#text += text;
    });
    this.#socket.on('error', () => {});
    opened.add(this);
  }

  /** Returns the number in the answer; null = the connection has ended. */
  async ask(url = '/'): Promise<number | null> {
    this.#text = '';
    this.#socket.write(`GET ${url} HTTP/1.1\r\nhost: x\r\n\r\n`);
    for (;;) {
      const [, pid] = /\r\n\r\n(\d+)$/.exec(this.#text) ?? [];
      if (pid !== undefined) return Number(pid);
      if (this.#socket.destroyed) return null;
      await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'close')]).catch(() => {});
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Workers with one port, of which the first accepts and has started the others. */
async function workers(count: number) {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const spawn = { node: process.execPath, args: [program], env: {}, logPath: '/dev/null' };
  const first = spawnWorker(spawn, listenerFd(listener)).pid ?? 0;
  pids.add(first);
  listener.close();
  const open = (many: number) => Array.from({ length: many }, () => new Connection(port));
  const [control] = open(1);
  const others: number[] = [];
  while (others.length < count - 1) others.push((await control?.ask('/spawn')) ?? 0);
  for (const pid of others) pids.add(pid);
  // Each of them gets connections as soon as it is ready.
  const seen = new Set<number | null>();
  while (seen.size < count) {
    const [probe] = open(1);
    seen.add((await probe?.ask()) ?? null);
    probe?.close();
  }
  return { port, first, others, control, open };
}

const askAll = (connections: readonly Connection[]) =>
  Promise.all(connections.map((connection) => connection.ask()));

/** How many of the connections each worker has, in ascending order. */
function shares(answers: readonly (number | null)[]): number[] {
  const counts = new Map<number | null, number>();
  for (const pid of answers) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return [...counts.values()].sort((a, b) => a - b);
}

it.each([2, 4])('%i workers share 64 connections equally', async (count) => {
  const { open } = await workers(count);
  const counts = shares(await askAll(open(64)));
  expect(counts).toHaveLength(count);
  // The connection that leads them counts as well.
  expect((counts.at(-1) ?? 0) - (counts[0] ?? 0)).toBeLessThanOrEqual(2);
});

it('connections that came one by one and stay are shared again after others have left', async () => {
  const { first, open } = await workers(2);
  const early = open(40);
  const answers = await askAll(early);
  for (const [n, connection] of early.entries()) if (answers[n] === first) connection.close();
  const stayed = answers.filter((pid) => pid !== first);
  const later = await askAll(open(64 - stayed.length));
  const [fewer = 0] = shares([...stayed, ...later]);
  expect(fewer / 64).toBeGreaterThanOrEqual(0.4);
});

it('a killed worker takes only its own connections with it, and the other one accepts', async () => {
  const { first, others, open } = await workers(2);
  const kept = open(16);
  const before = await askAll(kept);
  process.kill(first, 'SIGKILL');
  const after = await askAll(kept);
  expect(after).toEqual(before.map((pid) => (pid === first ? null : pid)));
  expect(new Set(await askAll(open(8)))).toEqual(new Set(others));
});

it('connections that a killed worker did not take are answered by another one', async () => {
  const { first, others, open } = await workers(2);
  const [other = 0] = others;
  process.kill(other, 'SIGSTOP');
  let answered = 0;
  const asked = open(8).map(async (connection) => {
    const pid = await connection.ask();
    answered += 1;
    return pid;
  });
  await expect.poll(() => answered).toBeGreaterThanOrEqual(3);
  // The others wait for the worker that is stopped.
  expect(answered).toBeLessThan(8);
  process.kill(other, 'SIGKILL');
  expect(new Set(await Promise.all(asked))).toEqual(new Set([first]));
});

it('a worker that stands still gets only the first of the connections that follow', async () => {
  const { first, others, open } = await workers(2);
  const [other = 0] = others;
  process.kill(other, 'SIGSTOP');
  let answered = 0;
  const asked: Promise<number | null>[] = [];
  const more = (count: number) => {
    for (const connection of open(count)) {
      const answer = connection.ask();
      asked.push(answer);
      void answer.then(() => {
        answered += 1;
      });
    }
  };
  more(4);
  // Once it has left one of them waiting for long, those that come then are all answered, and stay open.
  for (let isLeftOut = false; !isLeftOut; ) {
    const unanswered = asked.length - answered;
    more(2);
    const isOver = () => asked.length - answered;
    await expect.poll(isOver).toBeLessThanOrEqual(unanswered + 1);
    isLeftOut = unanswered > 0 && asked.length - answered === unanswered;
  }
  more(40);
  await expect.poll(() => asked.length - answered, { timeout: 10_000 }).toBeLessThan(10);
  process.kill(other, 'SIGKILL');
  expect(new Set(await Promise.all(asked))).toEqual(new Set([first]));
});

it('a worker that can open nothing leaves its connections to others, and gets its share again later', async () => {
  const { first, others, open } = await workers(2);
  const [other = 0] = others;
  limitFiles(other, 4);
  const during = new Set(await askAll(open(80)));
  expect(during).toEqual(new Set([first, other]));
  limitFiles(other, 1000);
  const gained = async () => (await askAll(open(8))).filter((pid) => pid === other).length;
  await expect.poll(gained, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
});

it('a worker that stops completes its connections, and gets no more', async () => {
  const { first, others, open } = await workers(2);
  const kept = open(8);
  const before = await askAll(kept);
  const ofOther = kept.filter((_, n) => before[n] !== first);
  await ofOther[0]?.ask('/stop');
  const onlyFirst = new Set([first]);
  await expect.poll(async () => new Set(await askAll(open(4)))).toEqual(onlyFirst);
  expect(await askAll(kept)).toEqual(before);
  for (const connection of ofOther) connection.close();
  await expect.poll(() => isAlive(others[0] ?? 0)).toBe(false);
});

it('the worker that accepts stops, and the other one accepts', async () => {
  const { first, others, control, open } = await workers(2);
  const kept = open(8);
  const before = await askAll(kept);
  const asking = Array.from({ length: 4 }, async () => await askAll(open(8)));
  await control?.ask('/stop');
  const all = (await Promise.all(asking)).flat();
  expect(all).toHaveLength(32);
  expect(all).not.toContain(null);
  expect(new Set(await askAll(open(8)))).toEqual(new Set(others));
  expect(await askAll(kept)).toEqual(before);
  for (const connection of [...opened]) connection.close();
  await expect.poll(() => isAlive(first)).toBe(false);
});

it('the address is free once all workers have stopped, while they complete their connections', async () => {
  const { port, first, open } = await workers(2);
  const kept = open(8);
  const before = await askAll(kept);
  const ofOther = kept.find((_, n) => before[n] !== first);
  const ofFirst = kept.find((_, n) => before[n] === first);
  // In this order: else the other one would accept.
  for (const connection of [ofOther, ofFirst]) await connection?.ask('/stop');
  const next = createServer((_request, response) => response.end('0'));
  await expect
    .poll(
      () =>
        new Promise((resolve) => {
          next.once('error', () => resolve(false));
          next.listen(port, '127.0.0.1', () => resolve(true));
        }),
      { timeout: 10_000 },
    )
    .toBe(true);
  expect(await askAll(kept)).toEqual(before);
  next.close();
});

/** The process may open so many further files. */
function limitFiles(pid: number, further: number): void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let lowest = 0;
  for (let free = 0; free < further; lowest += 1) if (!open.has(lowest)) free += 1;
  execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${lowest}:`]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
