import { randomUUID } from 'node:crypto';
import { type GatewayFrame, parseGatewayFrame } from '@dstack/contract/agent';
import type { CountedService } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { Figures } from './figures.ts';

const [RUN, JOB] = [randomUUID(), randomUUID()];

function counted(more: Partial<CountedService> = {}): CountedService {
  const raw = { answered: { '2xx': 3 }, slices: [{ number: 7, count: 3, buckets: [[1, 3]] }] };
  return {
    ...{ runId: RUN, projectName: 'main', runName: 'web', inFlight: 1, held: 0, ejected: 1 },
    ...{ raw, rawMirrored: { answered: { dropped: 1 }, slices: [] } },
    byReplica: { [JOB]: { answered: { '2xx': 3 }, latencies: { seconds: 1, counts: [3] } } },
    ...more,
  } as CountedService;
}

const [a, b] = [{}, {}];

function figures() {
  const sent: Extract<GatewayFrame, { type: 'figures' }>[] = [];
  let isThere = true;
  const all = new Figures((frame) => {
    if (isThere) sent.push(frame);
    return isThere;
  });
  const setThere = (there: boolean) => {
    isThere = there;
  };
  return { all, sent, setThere };
}

it('the workers of a gateway are added up, and only changes are sent', () => {
  const { all, sent } = figures();
  all.put(a, [counted()]);
  all.put(b, [counted({ inFlight: 4 })]);
  all.deliver();
  all.deliver();
  expect(sent).toHaveLength(1);
  expect(parseGatewayFrame(JSON.stringify(sent[0]))).toEqual(sent[0]);
  expect(sent[0]?.services).toEqual([
    {
      ...{ run_id: RUN, in_flight: 5, held: 0, ejected: 1, replica_states: [] },
      requests: { answered: { '2xx': 6 }, slices: [{ number: 7, count: 6, buckets: [[1, 6]] }] },
      mirrored: { answered: { dropped: 2 }, slices: [] },
      replicas: {
        [JOB]: {
          answered: { '2xx': 6 },
          latencies: { seconds: 2, counts: [6, ...Array(14).fill(0)] },
        },
      },
    },
  ]);
});

it('a server accepts the counts of a service with more replicas than are counted by themselves', () => {
  const { all, sent } = figures();
  const totals = { answered: { '2xx': 1 }, latencies: { seconds: 1, counts: [1] } };
  const byReplica = Object.fromEntries(Array.from({ length: 1500 }, () => [randomUUID(), totals]));
  all.put(a, [counted({ byReplica })]);
  all.deliver();
  const frame = parseGatewayFrame(JSON.stringify(sent[0]));
  expect(frame).toMatchObject({ type: 'figures', services: [{ run_id: RUN }] });
});

it('totals do not become smaller when a worker ends, and its requests in flight are over', () => {
  const { all, sent } = figures();
  all.put(a, [counted()]);
  all.put(b, [counted()]);
  all.ended(a);
  all.deliver();
  expect(sent[0]?.services[0]).toMatchObject({
    ...{ in_flight: 1, requests: { answered: { '2xx': 6 } } },
  });
});

it('a server that connects gets everything, except services that have left', () => {
  const { all, sent, setThere } = figures();
  const left = randomUUID();
  all.put(a, [counted(), counted({ runId: left })]);
  setThere(false);
  all.deliver();
  all.keepOnly(new Set([RUN]));
  setThere(true);
  all.connected();
  expect(sent.flatMap(({ services }) => services.map(({ run_id }) => run_id))).toEqual([RUN]);
  all.connected();
  expect(sent).toHaveLength(2);
});

it('many services are sent in several messages, which the server takes', () => {
  const { all, sent } = figures();
  const many = Array.from({ length: 1200 }, () => counted({ runId: randomUUID() }));
  all.put(a, many);
  all.deliver();
  expect(sent.map(({ services }) => services.length)).toEqual([500, 500, 200]);
});

it('replicas are added up over the workers, and what models have used stays when one ends', () => {
  const { all, sent } = figures();
  const recent = { requests: 2, errors: 1, buckets: [[3, 2]] as const };
  const why = { cause: 'error_rate', rate: 0.5, others: 0 } as const;
  const replica = { jobId: randomUUID(), inFlight: 1, avoided: { until: 7, why }, recent };
  const first = { seconds: 1, counts: [0, 1] };
  const tokens = { promptTokens: 5, completionTokens: 9 };
  const model = { answers: 1, ...tokens, first, recent: { answers: 1, ...tokens, buckets: [] } };
  for (const worker of [a, b]) all.put(worker, [counted({ replicas: [replica], model })]);
  all.ended(a);
  all.deliver();
  expect(parseGatewayFrame(JSON.stringify(sent[0]))).toEqual(sent[0]);
  expect(sent[0]?.services[0]).toMatchObject({
    replica_states: [
      {
        ...{ job_id: replica.jobId, in_flight: 1, recent: { requests: 2, errors: 1 } },
        avoided: { until: 7, errors: null, rate: 0.5, others: 0 },
      },
    ],
    model: {
      ...{ answers: 2, prompt_tokens: 10, completion_tokens: 18 },
      recent: { answers: 1, completion_tokens: 9 },
    },
  });
});
