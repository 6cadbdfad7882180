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

/** A server whose host sleeps by `sleep`, and a database whose answers wait from `hold` until `answer`. */
async function sleeper() {
  const local = { wall: 1_000_000, monotonic: 0 };
  let slept = 0;
  const answers: (() => void)[] = [];
  const clock = new ServerClock({ wall: () => local.wall, monotonic: () => local.monotonic });
  const time = () => (local.monotonic + 1_000_000 + slept) * 1000;
  let isHeld = false;
  const database = async () => {
    const answer = time();
    if (isHeld) await new Promise<void>((resolve) => answers.push(resolve));
    return answer;
  };
  const monotonic = () => local.monotonic;
  const watch = new ClockWatch({ clock, monotonic, database, log: pino({ level: 'silent' }) });
  await watch.start();
  return {
    ...{ clock, watch, time },
    hold: () => {
      isHeld = true;
    },
    sleep: (ms: number) => {
      slept += ms;
      local.wall += ms;
    },
    answer: async () => {
      for (const answer of answers.splice(0)) answer();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    },
  };
}

it('a server whose host has slept writes nothing before it knows the time', async () => {
  const { clock, watch, time, hold, sleep, answer } = await sleeper();
  await clock.measured();
  hold();
  sleep(600_000);
  let isMeasured = false;
  const measured = clock.measured().then(() => {
    isMeasured = true;
  });
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  expect(isMeasured).toBe(false);
  await answer();
  await measured;
  expect(clock.now()).toBe(time());
  watch.close();
});

it("takes no answer for the time that came while the server's host slept", async () => {
  const { clock, watch, time, hold, sleep, answer } = await sleeper();
  hold();
  const measured = clock.measure();
  sleep(600_000);
  await answer();
  await answer();
  await measured;
  expect(clock.now()).toBe(time());
  watch.close();
});
