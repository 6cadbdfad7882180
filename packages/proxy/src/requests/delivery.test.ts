import { expect, it } from 'vitest';
import { RepeatBudget } from '../policy/repeat-budget.ts';
import { bodyTooLarge } from '../refusals/refusal.ts';
import { ReplicaConnections } from '../replicas/replica-connections.ts';
import { ConnectFailure } from '../replicas/upstream-failure.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import type { ReplicaTarget } from '../values.ts';
import { Delivery, Undelivered } from './delivery.ts';
import { ClientDisconnected } from './request-body.ts';

const replicas: ReplicaTarget[] = ['one', 'two'].map((jobId) => ({
  ...{ jobId, hostId: 'host', port: 8000, runningAt: 0, isFailing: false },
}));
const route = {
  runId: 'run',
  projectName: 'main',
  runName: 'web',
  replicas,
} as unknown as ServiceRoute;

/** `answers`: of one attempt after another; false = the replica cannot be reached. */
function deliver(answers: readonly boolean[], returnsUntil?: () => number) {
  const now = () => 1_000_000;
  const connections = new ReplicaConnections({ open: () => Promise.reject(), timeoutMs: 1, now });
  const delivery = new Delivery({
    ...{ replicas: connections, current: async () => route, now, onFailure: () => {} },
    ...(returnsUntil && { returnsUntil }),
  });
  const asked: string[] = [];
  const delivered = delivery.deliver({
    affinity: null,
    ...{ route, isRepeatable: false, isUnwanted: () => false },
    send: async ({ target }) => {
      asked.push(target.jobId);
      const error = new ConnectFailure(8000, new Error('no way'));
      return answers[asked.length - 1] === true
        ? { kind: 'done', value: 'yes' }
        : { kind: 'failed', error, unsent: true };
    },
  });
  return { asked, delivered };
}

it('tries every replica once if none can be reached', async () => {
  const { asked, delivered } = deliver([]);
  await expect(delivered).rejects.toThrow(Undelivered);
  expect(asked.toSorted()).toEqual(['one', 'two']);
});

it('tries all of them again while the way to them is expected to return', async () => {
  const { asked, delivered } = deliver([false, false, false, true], () => 1_000_001);
  expect((await delivered).value).toBe('yes');
  expect(asked).toHaveLength(4);
  expect(new Set(asked.slice(2)).size).toBe(2);
});

it('gives up once it has not returned in time', async () => {
  let looks = 0;
  const { asked, delivered } = deliver([], () => (looks++ === 0 ? 1_000_001 : 1_000_000));
  await expect(delivered).rejects.toThrow('no way');
  expect(asked).toHaveLength(4);
});

it('repeats requests that were sent and not answered as long as the budget allows it', async () => {
  const now = () => 1_000_000;
  const connections = new ReplicaConnections({ open: () => Promise.reject(), timeoutMs: 1, now });
  const delivery = new Delivery({
    ...{ replicas: connections, current: async () => route, now, onFailure: () => {} },
    repeats: new RepeatBudget(2),
  });
  let sent = 0;
  const fail = async () => {
    sent += 1;
    return { kind: 'failed', error: new Error('closed'), unsent: false } as const;
  };
  const order = { route, affinity: null, isRepeatable: true, isUnwanted: () => false, send: fail };
  for (let n = 0; n < 3; n++) await expect(delivery.deliver(order)).rejects.toThrow(Undelivered);
  expect(sent).toBe(5);
});

it.each([
  ['is too large', bodyTooLarge(1), false],
  ['has no end', new ClientDisconnected(), false],
  ['is complete', new Error('closed'), true],
])('a replica is judged by requests whose body %s', async (_what, error, isJudged) => {
  const now = () => 1_000_000;
  const connections = new ReplicaConnections({ open: () => Promise.reject(), timeoutMs: 1, now });
  const delivery = new Delivery({
    ...{ replicas: connections, current: async () => route, now, onFailure: () => {} },
  });
  const send = async ({ target }: { readonly target: ReplicaTarget }) =>
    target.jobId === 'one'
      ? ({ kind: 'failed', error, unsent: false } as const)
      : ({ kind: 'done', value: 'yes' } as const);
  const order = { route, affinity: null, isRepeatable: false, isUnwanted: () => false, send };
  for (let n = 0; n < 40; n++) {
    const delivered = await delivery.deliver(order).catch(() => null);
    if (delivered === null) continue;
    connections.answered(delivered.replica, 200);
    connections.release(delivered.replica);
  }
  const [one] = replicas;
  expect(one && connections.isEjected(one)).toBe(isJudged);
});
