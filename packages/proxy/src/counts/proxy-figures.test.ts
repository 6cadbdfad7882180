import { expect, it } from 'vitest';
import { RequestStats } from '../policy/service-stats.ts';
import { ReplicaConnections } from '../replicas/replica-connections.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { ModelStats } from './model-stats.ts';
import { ProcessFigures } from './process-figures.ts';
import { type CountedService, ProxyFigures } from './proxy-figures.ts';

const now = () => 1_000_000_000;

/** Figures of this process and of others. `reads`: how often a figure of another process was looked at. */
function figures(...processes: CountedService[][]) {
  const others = new ProcessFigures<object>();
  for (const services of processes) others.put({}, services);
  const stats = new RequestStats(now);
  const subject = new ProxyFigures({
    ...{ stats, mirrored: new RequestStats(now), models: new ModelStats(now), others },
    replicas: new ReplicaConnections({ open: () => Promise.reject(), timeoutMs: 1, now }),
    waiting: { count: () => 0 },
    find: async ({ runName }) => route(runName),
  });
  return { stats, subject };
}

const route = (name: string) =>
  ({
    ...{ runId: name, projectName: 'main', runName: name },
    replicas: [],
  }) as never as ServiceRoute;

const counted = (runId: string, onRead = () => {}): CountedService => ({
  get runId() {
    onRead();
    return runId;
  },
  ...{ projectName: 'main', runName: runId, inFlight: 1, held: 0, ejected: 0 },
  raw: { answered: { '2xx': 1 }, slices: [] },
});

it('the requests of all processes are added up', async () => {
  const { stats, subject } = figures([counted('web'), counted('only')], [counted('web')]);
  stats.add(route('web'), 200, 1);
  expect(await subject.states()).toMatchObject([
    { runName: 'web', inFlight: 2, answered: { '2xx': 3 } },
    { runName: 'only', inFlight: 1, answered: { '2xx': 1 } },
  ]);
  expect(subject.counted({ ...route('web') })).toHaveLength(3);
});

it('the figures of one service are found without a look at those of all others', async () => {
  let reads = 0;
  const names = Array.from({ length: 300 }, (_, n) => `run-${n}`);
  const { subject } = figures(names.map((name) => counted(name, () => (reads += 1))));
  reads = 0;
  expect(await subject.states()).toHaveLength(300);
  for (const name of names) subject.counted(route(name));
  expect(reads).toBeLessThan(10 * names.length);
});
