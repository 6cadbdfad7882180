import { setImmediate } from 'node:timers/promises';
import { AllMissingError, type Backend } from '@dstack/backends';
import type { InstanceHandle } from '@dstack/core';
import type { BackendRecord } from '@dstack/store';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { operatorsConfig } from '../backend-config/origin.ts';
import { OpenedBackends, type OpenedBackendsOptions } from './opened-backends.ts';

const ROW = { id: 'b', projectId: 'p', type: 'slurm', config: { user: 'ada' }, updatedAt: 1 };
const row = (change: object = {}) => ({ ...ROW, ...change }) as unknown as BackendRecord;

/** A kind that records what was opened and ended. */
function world() {
  const happened: string[] = [];
  let isBroken = false;
  const backends = new OpenedBackends({
    store: {
      instances: { madeBy: async () => [] },
      projects: { list: async () => [{ id: 'p' }] },
      backends: { list: async () => [row()], byType: async () => ({ auth: { key: 'secret' } }) },
      meta: { get: async () => 'stored' },
      cipher: { decrypt: (text: string) => text },
    } as unknown as OpenedBackendsOptions['store'],
    log: pino({ level: 'silent' }),
    kinds: [
      {
        type: 'slurm',
        load: async () => {
          happened.push('load');
          return {
            open: async (config, secret, { isOperators }) => {
              if (isOperators) happened.push('for the operator');
              happened.push(`open ${JSON.stringify(config)} ${secret}`);
              if (isBroken) throw new Error('broken');
              const watch = () => {
                happened.push('watch');
                return () => void happened.push('unwatch');
              };
              const observe = async ({ id, data }: InstanceHandle) => {
                if (data === null) throw new Error('a handle without its region');
                if (id === 'one of many') throw new AllMissingError('none of them is listed');
                return { state: id === 'mine' ? 'pending' : 'missing' };
              };
              const backend = {
                ...{ name: 'slurm', capabilities: { owner: 'provider' }, check: async () => [] },
                instances: { watch, observe },
              } as unknown as Backend;
              return { backend, close: () => void happened.push('close') };
            },
            close: () => void happened.push('close shared'),
          };
        },
      },
    ],
    host: {} as OpenedBackendsOptions['host'],
  });
  const breaks = (value: boolean) => {
    isBroken = value;
  };
  return { backends, happened, breaks };
}

it('refuses credentials of an account that has none of the machines', async () => {
  const { backends } = world();
  const config = { type: 'slurm' } as never;
  const tried = (ids: readonly string[]) => {
    const machines = ids.map((id) => ({ id, data: 'its region' }));
    return backends.tryOut(config, { isOperators: false }, machines);
  };
  expect(await tried([])).toEqual([]);
  expect(await tried(['ended', 'mine'])).toEqual([]);
  for (const ids of [
    ['theirs', 'ended'],
    ['theirs', 'one of many'],
  ]) {
    expect(await tried(ids)).toMatchObject([
      { ok: false, refused: true, problem: expect.stringMatching(/none of the 2 machines/) },
    ]);
  }
});

const OPENED = 'open {"user":"ada","key":"secret"} stored';

it('opens a backend once with its credentials, watches it, and ends both', async () => {
  const { backends, happened } = world();
  expect(happened).toEqual([]);
  await backends.start();
  const [first, second] = await Promise.all([backends.of(row()), backends.of(row())]);
  expect(first).toBe(second);
  expect(await backends.of(row({ type: 'aws' }))).toBeNull();
  expect(happened).toEqual(['load', OPENED, 'watch']);
  backends.close();
  await setImmediate();
  expect(happened.slice(3).sort()).toEqual(['close', 'close shared', 'unwatch']);
});

it('ends a backend whose configuration has changed, and opens it again', async () => {
  const { backends, happened } = world();
  await backends.of(row());
  await backends.of(row({ updatedAt: 2, config: { user: 'eve' } }));
  expect(happened).toContain('unwatch');
  expect(happened).toContain('close');
  expect(happened).toContain('open {"user":"eve","key":"secret"} stored');
});

it('opens a backend again that could not be opened', async () => {
  const { backends, breaks } = world();
  breaks(true);
  await expect(backends.of(row())).rejects.toThrow('broken');
  breaks(false);
  expect(await backends.of(row())).toMatchObject({ name: 'slurm' });
});

it('ends what it opened for a server that was closed meanwhile', async () => {
  const { backends, happened } = world();
  const opening = backends.of(row());
  backends.close();
  await opening;
  await setImmediate();
  expect(happened).toEqual(['load', 'close shared', OPENED, 'watch', 'unwatch', 'close']);
  await expect(backends.of(row())).rejects.toThrow('the server is ending');
});

it('passes on that the operator has written a configuration, and not the mark itself', async () => {
  const { backends, happened } = world();
  await backends.of(row({ config: operatorsConfig({ user: 'ada' }) }));
  expect(happened).toEqual(['load', 'for the operator', OPENED, 'watch']);
});
