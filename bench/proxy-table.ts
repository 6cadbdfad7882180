/** The figures of several ways to one app, as JSON lines and as a table for people. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { percentile, print } from './measure.ts';
import { load, type Target } from './proxy.ts';

const SECONDS = 3;
const CONNECTIONS = [1, 64, 512];

/** Events of the stream, `TICK_MS` apart, and round trips of the WebSocket. */
const EVENTS = 150;
const TICK_MS = 20;
const ROUND_TRIPS = 500;

/** The measurements of one way to the app, in milliseconds. */
export interface Way {
  /** The durations of requests, by the number of connections. */
  readonly latencies: ReadonlyMap<number, readonly number[]>;
  /** How far the time between two events of a stream differs from the time between their sending. */
  readonly gaps: readonly number[];
  readonly roundTrips: readonly number[];
}

export type Ways = Map<string, Way>;

/** `requests`: the way passes on no WebSockets. */
export async function measured(target: Target, what: 'all' | 'requests' = 'all'): Promise<Way> {
  await load(target, 16, 1);
  const latencies = new Map<number, readonly number[]>();
  for (const connections of CONNECTIONS) {
    latencies.set(connections, await load(target, connections, SECONDS));
  }
  const trips = what === 'all' ? await roundTrips(target) : [];
  return { latencies, gaps: await gaps(target), roundTrips: trips };
}

async function gaps({ url, headers }: Target): Promise<number[]> {
  const request = get(new URL('ticks', url), { headers });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const times: number[] = [];
  for await (const _event of answer) {
    times.push(performance.now());
    if (times.length > EVENTS) break;
  }
  return times.slice(1).map((time, n) => Math.abs(time - (times[n] ?? time) - TICK_MS));
}

async function roundTrips({ url, headers }: Target): Promise<number[]> {
  const socket = new WebSocket(url.href.replace('http', 'ws'), { headers });
  await once(socket, 'open');
  const times: number[] = [];
  for (let n = 0; n < ROUND_TRIPS; n++) {
    const began = performance.now();
    socket.send('ping');
    await once(socket, 'message');
    times.push(performance.now() - began);
  }
  socket.terminate();
  return times;
}

/** The way `direct` is what the others are compared with. */
export function printWays(what: string, ways: Ways): void {
  const table: Record<string, Record<string, string | number>> = {};
  for (const [name, way] of ways) {
    const row: Record<string, string | number> = {};
    for (const [connections, samples] of way.latencies) {
      const direct = ways.get('direct')?.latencies.get(connections) ?? [];
      const figures = {
        rate: Math.round(samples.length / SECONDS),
        ...typical(samples),
        ...added(samples, direct),
      };
      const unit = 'requests/s, µs';
      print({ name: `${what}: ${name}, ${connections} connections`, unit, ...figures });
      row[`${connections}: req/s`] = figures.rate;
      row[`${connections}: +p50/p99 µs`] = `${figures.added_p50} / ${figures.added_p99}`;
    }
    for (const [title, samples] of [
      ['events', way.gaps],
      ['WebSocket', way.roundTrips],
    ] as const) {
      if (samples.length === 0) continue;
      const figures = typical(samples);
      print({ name: `${what}: ${name}, ${title}`, unit: 'µs', ...figures });
      row[`${title} µs`] = `${figures.p50} / ${figures.p99}`;
    }
    table[name] = row;
  }
  console.table(table);
}

const us = (samples: readonly number[], p: number) => Math.round(percentile(samples, p) * 1000);

const typical = (samples: readonly number[]) => ({ p50: us(samples, 50), p99: us(samples, 99) });

function added(samples: readonly number[], direct: readonly number[]) {
  return {
    added_p50: us(samples, 50) - us(direct, 50),
    added_p99: us(samples, 99) - us(direct, 99),
  };
}
