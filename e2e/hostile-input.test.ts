/**
 * Hostile input: sends each input at a length, twice and four times that, and compares the CPU time of
 * the server's thread. A quadratic parser needs sixteen times as much for four times the length. The
 * tests assert nothing about absolute times; `bench/hostile.ts` measures those.
 */
import { readFileSync } from 'node:fs';
import {
  FIELDS,
  fieldInputs,
  type HostileInput,
  headerInputs,
  headInputs,
  jsonInputs,
  sendHostile,
  uploadInputs,
  yamlInputs,
} from '@dstack/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInstallation } from './installation.ts';

const home = newInstallation({ DSTACK_SERVER_TRUSTED_PROXIES: 'loopback' });
let token: string;

beforeAll(async () => {
  await home.startServer();
  token = home.token();
  // Warms up the server: code is slow before it is compiled.
  for (const input of [...jsonInputs, ...yamlInputs, ...uploadInputs]) await send(input, 1000);
});
afterAll(() => home.dispose());

/** Maximum growth for four times the length: 4 if linear, the rest allows for noise. */
const MOST_GROWTH = 7;

/** Shorter times, in ms, are dominated by noise. */
const FLOOR_MS = 20;

const TRIES = 3;

async function send(input: HostileInput, size: number): Promise<number | null> {
  const { status } = await sendHostile(home.url, token, input.request(size));
  return status;
}

/** CPU time of the thread that all requests share, in ms. */
function threadMs(): number {
  const pid = home.serverPid;
  const [onCpu] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return Number(onCpu) / 1_000_000;
}

async function work(input: HostileInput, size: number): Promise<number> {
  const before = threadMs();
  for (let i = 0; i < (input.repeats ?? 1); i++) {
    const status = await send(input, size);
    if (status === null || status >= 500) {
      throw new Error(`${input.name} of ${size}: ${status ?? 'no answer'}`);
    }
  }
  return threadMs() - before;
}

/** The problem with the server's handling of the input; null = none. */
async function complaint(input: HostileInput): Promise<string | null> {
  const sizes = [input.most / 4, input.most / 2, input.most];
  const least = [Infinity, Infinity, Infinity];
  for (let attempt = 0; attempt < TRIES; attempt++) {
    for (const [index, size] of sizes.entries()) {
      least[index] = Math.min(least[index] ?? Infinity, await work(input, size));
    }
    const [one = 0, , four = 0] = least;
    if (four <= MOST_GROWTH * Math.max(one, FLOOR_MS)) return null;
  }
  return `${input.name}: ${least.map((ms) => ms.toFixed(0)).join(', ')} ms`;
}

async function complaints(inputs: readonly HostileInput[]): Promise<string[]> {
  const found: string[] = [];
  for (const input of inputs) {
    const wrong = await complaint(input);
    if (wrong !== null) found.push(wrong);
  }
  return found;
}

describe('the CPU time for untrusted input grows linearly with its length', () => {
  it('for JSON of any form', async () => {
    expect(await complaints(jsonInputs)).toEqual([]);
  });

  it('for YAML of any form', async () => {
    expect(await complaints(yamlInputs)).toEqual([]);
  });

  it('for uploads of any form', async () => {
    expect(await complaints(uploadInputs)).toEqual([]);
  });

  it('for paths, queries and numbers of headers', async () => {
    expect(await complaints(headInputs)).toEqual([]);
  });

  it.each(Object.keys(headerInputs))('for a header: %s', async (name) => {
    expect(await complaints(headerInputs[name] ?? [])).toEqual([]);
  });

  it.each(Object.entries(FIELDS))('for %s', async (_name, field) => {
    expect(await complaints(fieldInputs(field))).toEqual([]);
  });
});

describe('after all of that', () => {
  it('the server answers, and has not been restarted', async () => {
    const pid = home.serverPid;
    const response = await fetch(new URL('/healthcheck', home.url));
    expect([response.status, home.serverPid]).toEqual([200, pid]);
  });
});
