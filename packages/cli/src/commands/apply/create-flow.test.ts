import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Cli } from '../../context.ts';
import { createIo } from '../../terminal/io.ts';
import type { ApplyOptions } from './apply-options.ts';
import { type ProvisioningWatch, watchProvisioning } from './create-flow.ts';

/** A clock that only waiting moves. */
function clockedCli(): { cli: Cli; elapsed: () => number } {
  let now = 0;
  const out = new PassThrough();
  const cli = {
    io: createIo({ out, err: out, input: out }, {}, 'never'),
    now: () => now,
    wait: async (ms: number) => {
      now += ms;
    },
    onInterrupt: () => () => {},
  };
  return { cli: cli as unknown as Cli, elapsed: () => now };
}

const watch = (get: () => object): ProvisioningWatch<object> => ({
  title: 'Provisioning...',
  noun: 'fleet',
  get: async () => get(),
  done: () => false,
  table: () => '',
  isStuck: (unchangedMs) => unchangedMs >= 60_000,
  delete: async () => {},
});

test('an entity that does not change any more is not waited for without a limit', async () => {
  const { cli, elapsed } = clockedCli();
  const host = { status: 'pending', message: 'cannot be reached' };
  const entity = await watchProvisioning(
    watch(() => host),
    {} as ApplyOptions,
    cli,
  );
  expect(entity).toBe(host);
  expect(elapsed()).toBe(60_000);
});

test('an entity that changes is waited for', async () => {
  const { cli, elapsed } = clockedCli();
  const stages = () => ({ message: `${Math.min(3, Math.floor(elapsed() / 50_000))} of 3 files` });
  const entity = await watchProvisioning(watch(stages), {} as ApplyOptions, cli);
  expect(entity).toEqual({ message: '3 of 3 files' });
  expect(elapsed()).toBe(210_000);
});
