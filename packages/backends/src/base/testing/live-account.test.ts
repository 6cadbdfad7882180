import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lambdaAt } from '../../lambda/testing.ts';
import { type LiveOptions, tryAccount } from './live-account.ts';
import { passingPace } from './passing-pace.ts';

let cloud: Cloud;
let clock: ManualClock;
let printed: string[];
let options: LiveOptions;
beforeEach(async () => {
  clock = manualClock();
  const faults = { boot_seconds: [60, 60], delete_seconds: 20 } as const;
  cloud = await startCloud({ personality: 'lambda', clock, faults });
  printed = [];
  const backend = lambdaAt({ cloud, pace: passingPace(clock) });
  const print = (line: string) => void printed.push(line);
  const delay = async (ms: number) => clock.advance(ms / 1000);
  options = { backend, print, delay, publicKey: 'ssh-ed25519 AAAA live', bootMs: 600_000 };
});
afterEach(() => cloud.close());

it('tries an account with one machine, the cheapest, and leaves nothing', async () => {
  expect(await tryAccount(options)).toEqual([]);
  expect(cloud.history().map((line) => line[0])).toEqual(['+', '-']);
  const ok = printed.filter((line) => line.startsWith('ok'));
  expect(ok.map((line) => line.replace(/[0-9a-f]{32}|[\d.]{7,}/, '…'))).toEqual([
    'ok  lambda: the API key is accepted',
    'ok  28 offers; the cheapest available is cpu_4x_general in us-east-1 at $0.1 an hour',
    'ok  ordered machine …',
    'ok  the same order made no second machine',
    'ok  ready at …',
    'ok  it has its tags',
    'ok  nothing is left',
  ]);
});

it('ends the machine of a try that fails', async () => {
  cloud.faults.set({ never_ready: 1 });
  await expect(tryAccount(options)).rejects.toThrow('it was not ready after 10 minutes');
  expect(cloud.vms()).toBe(0);
  expect(printed.at(-1)).toBe('ok  nothing is left');
});

it('ends the machine of a try that is interrupted, although lists and waits fail meanwhile', async () => {
  const { backend, delay } = options;
  let isInterrupted = false;
  let failures = 0;
  const { instances } = backend;
  if (instances === null) throw new Error('no machines');
  const list: typeof instances.list = async (owner) => {
    if (isInterrupted && failures++ < 3) throw new Error('no answer');
    return await instances.list(owner);
  };
  const trying = tryAccount({
    ...options,
    backend: {
      ...backend,
      instances: {
        create: (order) => instances.create(order),
        observe: (handle, seen) => instances.observe(handle, seen),
        release: (handle) => instances.release(handle),
        list,
      },
    },
    delay: async (ms) => {
      await delay(ms);
      if (isInterrupted && failures > 1) return;
      isInterrupted = true;
      throw new Error('interrupted');
    },
  });
  await expect(trying).rejects.toThrow('interrupted');
  expect(cloud.vms()).toBe(0);
  expect(printed.at(-1)).toBe('ok  nothing is left');
});
