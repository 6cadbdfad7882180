import { expect, it } from 'vitest';
import { boundFrame } from './bound-frames.ts';

const NOW = 1_800_000_000_000;
const binding = { reach: { has: () => true, standing: () => 'own' }, now: NOW } as never;

const bound = (frame: object): Record<string, unknown> => {
  const { frame: own } = boundFrame(frame as never, binding);
  return { ...own };
};

it.each([-7200, -20, 0, 3, 7200])(
  'requests of a gateway whose clock is %i s ahead are of our time',
  (ahead) => {
    const second = NOW / 1000 + ahead;
    const sent_at = NOW + ahead * 1000;
    const counts = [{ run_id: 'r', second: second - 40, requests: 3 }];
    const counted = bound({ type: 'counts', n: 1, batch: null, counts, waiting: [], sent_at });
    const offBy = Math.abs(ahead) <= 5 ? ahead : 0;
    expect(counted.counts).toEqual([{ run_id: 'r', second: NOW / 1000 - 40 + offBy, requests: 3 }]);
    const slots = [{ run_id: 'r', slot: second / 5 - 8, busy_ms: 9, latencies: {} }];
    const load = bound({ type: 'load', worker: 'w', slots, sent_at });
    expect(load.slots).toMatchObject([{ slot: NOW / 5000 - 8 + offBy / 5, busy_ms: 9 }]);
  },
);

it('a rate of a service that is not its own is not counted, nor one that no service may have', () => {
  const frame = { type: 'rate', n: 1, run_id: 'r', key: 'k', rps: 1, burst: 0, most: 1 } as const;
  expect(bound(frame)).toEqual(frame);
  const reach = { has: () => false, standing: () => 'foreign' };
  const answer = { type: 'taken', n: 1, granted: 0, wait_ms: 1000 };
  const refused = { frame: null, isForeign: true, answer };
  expect(boundFrame(frame, { ...(binding as object), reach } as never)).toEqual(refused);
  for (const rps of [0, 1e-300, 0.01, 1e300]) {
    expect(boundFrame({ ...frame, rps }, binding)).toEqual(refused);
    expect(boundFrame({ ...frame, run_id: null, rps }, binding)).toEqual(refused);
  }
  const slowest = { ...frame, rps: 1 / 60 };
  expect(bound(slowest)).toEqual(slowest);
});

it('of an earlier gateway, which does not send its time, those ahead have been made now', () => {
  const counts = [{ run_id: 'r', second: NOW / 1000 + 50, requests: 3 }];
  const counted = bound({ type: 'counts', n: 1, batch: null, counts, waiting: [] });
  expect(counted.counts).toEqual([{ run_id: 'r', second: NOW / 1000, requests: 3 }]);
});

it.each([-7200, 0, 7200])(
  'figures of a gateway whose clock is %i s ahead are of our time, and no replica is avoided for days',
  (ahead) => {
    const sent_at = NOW + ahead * 1000;
    const slice = { number: sent_at / 10_000 - 2, count: 1, buckets: [] };
    const requests = { answered: {}, slices: [slice] };
    const replica = (until: number) => ({ job_id: 'j', in_flight: 0, avoided: { until } });
    const replicas = [replica(sent_at + 8000), replica(8_640_000_000_000_000)];
    const service = { run_id: 'r', replica_states: replicas, requests, mirrored: requests };
    expect(bound({ type: 'figures', services: [service], sent_at })).toMatchObject({
      services: [
        {
          requests: { slices: [{ number: NOW / 10_000 - 2, count: 1 }] },
          replica_states: [
            { avoided: { until: NOW + 8000 } },
            { avoided: { until: NOW + 3_600_000 } },
          ],
        },
      ],
    });
  },
);
