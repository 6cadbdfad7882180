import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventMessage, type QueryAnswer, type ServiceLoad } from '@dstack/core';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Outgoing } from '../outgoing/outgoing.ts';
import { OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { PrometheusQueries } from './prometheus-queries.ts';

let prometheus: Server;
let body: string;
let asked: string[];
beforeEach(async () => {
  asked = [];
  prometheus = createServer(({ url }, response) => {
    asked.push(url ?? '');
    response.end(body);
  }).listen(0, '127.0.0.1');
  await once(prometheus, 'listening');
});
afterEach(() => {
  prometheus.closeAllConnections();
  prometheus.close();
});

interface Stored {
  readonly answer: QueryAnswer;
  readonly events: string[];
}

/** Asks once; `last`: the answer before. */
async function ask(
  last: QueryAnswer | null = null,
  allowed = ['127.0.0.1'],
): Promise<Stored | null> {
  const { port } = prometheus.address() as AddressInfo;
  const rule = {
    ...{ metric: 'prometheus', target: 1, url: `http://127.0.0.1:${port}/base/` },
    ...{ query: 'sum(a{b="c"})', scale_up_delay: 0, scale_down_delay: 0 },
  };
  const configuration = { type: 'service', replicas: { min: 0, max: 2 }, autoscaling: [rule] };
  const run = {
    id: 'run',
    name: 'web',
    projectId: 'p',
    status: 'running',
    spec: { configuration },
  };
  const queries = new Proxy({}, { get: () => last ?? undefined });
  const load = { busySeconds: {}, latencies: {}, queries } as ServiceLoad;
  const outgoing = new Outgoing(new OutgoingRules(allowed));
  try {
    return await new Promise((resolve) => {
      const asking = new PrometheusQueries({
        services: {
          setQueryAnswer: async (_run, _key, answer, extras) => {
            const events = (extras?.events ?? []).map(eventMessage);
            resolve({ answer, events });
          },
        },
        outgoing,
        now: () => 100_000_000,
        log: pino({ level: 'silent' }),
      });
      asking.want({ run: run as never, load });
      if (last && last.at > 90_000_000) resolve(null);
    });
  } finally {
    await outgoing.close();
  }
}

const vector = (...values: string[]) =>
  JSON.stringify({
    status: 'success',
    data: {
      resultType: 'vector',
      result: values.map((value) => ({ metric: {}, value: [1, value] })),
    },
  });

describe('a query of autoscaling', () => {
  it('is asked below the URL, and its one value is stored', async () => {
    body = vector('12.5');
    const stored = await ask();
    expect(stored).toEqual({ answer: { value: 12.5, error: null, at: 100_000_000 }, events: [] });
    expect(asked[0]).toMatch(
      /^\/base\/api\/v1\/query\?query=sum%28a%7Bb%3D%22c%22%7D%29&timeout=5s$/,
    );
    body = JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [1, '3'] } });
    expect((await ask())?.answer.value).toBe(3);
  });

  it('is not asked again while its answer is new', async () => {
    expect(await ask({ value: 1, error: null, at: 95_000_000 })).toBeNull();
    expect(asked).toEqual([]);
  });

  it.each([
    ['several series', () => vector('1', '2'), '2 series'],
    ['no series', () => vector(), 'vector(0)'],
    ['no number', () => vector('NaN'), 'NaN'],
    ['an error', () => JSON.stringify({ status: 'error', error: 'parse error' }), 'parse error'],
    ['a page', () => '<html>', 'no JSON'],
    ['other JSON', () => '[]', 'no answer of Prometheus'],
    ['too much', () => vector('1').padEnd(70_000), '65536 bytes'],
  ])('that is answered with %s fails, and one event reports that', async (_what, text, words) => {
    body = text();
    const failed = await ask({ value: 1, error: null, at: 0 });
    expect(failed?.answer).toMatchObject({ value: null, error: expect.stringContaining(words) });
    expect(failed?.events).toEqual([expect.stringContaining('the number of replicas stays')]);
    expect((await ask({ value: null, error: 'before', at: 0 }))?.events).toEqual([]);
    body = vector('1');
    const again = await ask({ value: null, error: 'before', at: 0 });
    expect(again?.events).toEqual([expect.stringContaining('has an answer again')]);
  });

  it('does not reach private addresses that the operator has not allowed', async () => {
    body = vector('1');
    const stored = await ask(null, []);
    expect(stored?.answer.error).toContain('DSTACK_SERVER_OUTGOING_ALLOW');
    expect(asked).toEqual([]);
  });
});
