import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { ClockWatch } from './clock-watch.ts';
import { ServerClock } from './server-clock.ts';

it('a server whose host has slept asks the database for the time at once', async () => {
  const local = { wall: 1_000_000, monotonic: 0 };
  let slept = 0;
  const clock = new ServerClock({ wall: () => local.wall, monotonic: () => local.monotonic });
  const database = vi.fn(async () => (1_000_000 + local.monotonic + slept) * 1000);
  const monotonic = () => local.monotonic;
  const watch = new ClockWatch({ clock, monotonic, database, log: pino({ level: 'silent' }) });
  await watch.start();
  expect(database).toHaveBeenCalledTimes(1);
  // The wall clock goes on over a suspend, the monotonic one stands still.
  slept = 300_000;
  local.wall += slept + 10;
  local.monotonic += 10;
  clock.now();
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  expect(clock.now()).toBe((1_000_010 + slept) * 1000);
  expect(database.mock.calls.length).toBeLessThan(5);
  watch.close();
});
