import { away, linked } from '@dstack/proxy/testing';
import { expect, it } from 'vitest';
import { ServerClock } from '../../clock/server-clock.ts';
import { WorkerDesk } from '../worker-desk.ts';
import { followServer } from './server-time.ts';

const HOUR = 3_600_000_000;

function worker(serverTime: () => number) {
  const desk = new WorkerDesk({ now: serverTime } as never);
  const { link, connect } = linked({ time: desk.handlers(() => ({}) as never).time ?? (() => 0) });
  const own = { wall: () => 1_800_000_000_000, monotonic: () => performance.now() };
  return { link, connect, clock: new ServerClock(own) };
}

it('a worker has the time of its server, whatever the clock of their host is', async () => {
  let time = 1_800_000_000_000_000 - HOUR;
  const { link, connect, clock } = worker(() => time);
  connect();
  await followServer(clock, link);
  expect(Math.abs(clock.now() - time)).toBeLessThan(HOUR / 60);
  time += 2 * HOUR;
  await followServer(clock, link);
  expect(Math.abs(clock.now() - time)).toBeLessThan(HOUR / 60);
});

it('keeps it while the server is away, or does not know the question', async () => {
  const time = 1_800_000_000_000_000 - HOUR;
  const { link, connect, clock } = worker(() => time);
  const server = connect();
  await followServer(clock, link);
  await away(link, server);
  await followServer(clock, link);
  const earlier = linked({});
  earlier.connect();
  await followServer(clock, earlier.link);
  expect(Math.abs(clock.now() - time)).toBeLessThan(HOUR / 60);
});
