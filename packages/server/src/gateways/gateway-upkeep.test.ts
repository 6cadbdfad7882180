import type { GatewayCondition } from '@dstack/backends';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Logger } from '../process/logging.ts';
import { GatewayUpkeep } from './gateway-upkeep.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const REACHED: GatewayCondition = { outdated: null, unreachable: null };
const HIDDEN: GatewayCondition = { outdated: null, unreachable: 'pod p-0 is not ready' };

function world(answers: (GatewayCondition | Error | null)[]) {
  const seen: (GatewayCondition | null)[] = [];
  let isOpen = true;
  const upkeep = new GatewayUpkeep({
    maintain: async () => {
      const next = answers.shift() ?? null;
      if (next instanceof Error) throw next;
      return next;
    },
    isOurs: () => isOpen,
    onLook: async () => void seen.push(upkeep.condition),
    log: { warn: () => {} } as unknown as Logger,
  });
  return { upkeep, seen, lose: () => (isOpen = false) };
}

it('looks every second until clients reach the replica, and then every half minute', async () => {
  const { upkeep, seen } = world([HIDDEN, HIDDEN, REACHED, REACHED]);
  expect(upkeep.hasLooked).toBe(false);
  upkeep.look();
  await vi.advanceTimersByTimeAsync(0);
  expect([upkeep.hasLooked, seen]).toEqual([true, [HIDDEN]]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(seen).toEqual([HIDDEN, HIDDEN, REACHED]);
  await vi.advanceTimersByTimeAsync(29_000);
  expect(seen).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1000);
  expect(seen).toHaveLength(4);
  upkeep.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen).toHaveLength(4);
});

it('keeps what it knows while the backend does not answer', async () => {
  const { upkeep, seen } = world([REACHED, new Error('no answer')]);
  upkeep.look();
  upkeep.look();
  await vi.advanceTimersByTimeAsync(0);
  expect(seen).toEqual([REACHED, REACHED]);
  upkeep.close();
});

it('leaves a replica that another server is linked to alone', async () => {
  const { upkeep, seen, lose } = world([REACHED, REACHED]);
  upkeep.look();
  await vi.advanceTimersByTimeAsync(0);
  lose();
  await vi.advanceTimersByTimeAsync(60_000);
  upkeep.look();
  await vi.advanceTimersByTimeAsync(0);
  expect(seen).toHaveLength(1);
});
