import { describe, expect, it } from 'vitest';
import { routeOf, type ServiceRoute } from './service-route.ts';
import { ServiceRoutes } from './service-routes.ts';

function view(runId: string, replicas: readonly string[]): ServiceRoute {
  const configuration = {
    ...{ type: 'service', auth: true, strip_prefix: true, groups: null, replicas: null },
    ...{ scaling: null, rate_limits: [], model: null },
  };
  return routeOf({
    ...{ runId, projectName: 'main', runName: 'web' },
    configuration: configuration as never,
    replicas: replicas.map((jobId) => ({
      jobId,
      hostId: 'host',
      port: 80,
      runningAt: 0,
      isFailing: false,
    })),
  });
}

function routes() {
  let now = 0;
  let reads = 0;
  let present: ServiceRoute | null = view('run-1', ['a']);
  /** Called between reading and returning. */
  let meanwhile = () => {};
  const refreshed: ServiceRoute[] = [];
  const subject = new ServiceRoutes({
    services: {
      byName: async () => {
        reads += 1;
        const found = present;
        meanwhile();
        return found;
      },
    },
    ttlMs: 1000,
    now: () => now,
    wants: () => true,
    onRoute: (route) => refreshed.push(route),
  });
  const jobs = async () => (await subject.find('main', 'web'))?.replicas.map(({ jobId }) => jobId);
  return {
    subject,
    jobs,
    refreshed,
    reads: () => reads,
    become: (next: ServiceRoute | null) => {
      present = next;
    },
    whileReading: (action: () => void) => {
      meanwhile = action;
    },
    later: (ms: number) => {
      now += ms;
    },
  };
}

describe('the route of a service', () => {
  it('is read once for all callers, until it expires', async () => {
    const { jobs, reads, later } = routes();
    await Promise.all([jobs(), jobs(), jobs()]);
    await jobs();
    expect(reads()).toBe(1);
    later(1000);
    await jobs();
    expect(reads()).toBe(2);
  });

  it('is dropped when its run changes, and not when other runs do', async () => {
    const { subject, jobs, reads, become } = routes();
    await jobs();
    subject.changed('run-2');
    await jobs();
    expect(reads()).toBe(1);
    become(view('run-1', ['b']));
    subject.changed('run-1');
    expect(await jobs()).toEqual(['b']);
  });

  it('is read again if it changes while it is read, and kept if others do', async () => {
    const { subject, jobs, reads, become, whileReading } = routes();
    whileReading(() => {
      become(view('run-1', ['b']));
      whileReading(() => subject.changed('run-2'));
      subject.changed('run-1');
    });
    expect(await jobs()).toEqual(['b']);
    expect(await jobs()).toEqual(['b']);
    expect(reads()).toBe(2);
  });

  it('is passed to the owner of connections when it changes, also when it is deleted', async () => {
    const { subject, jobs, refreshed, become } = routes();
    await jobs();
    become(view('run-1', ['a', 'b']));
    subject.changed('run-1');
    await jobs();
    become(null);
    subject.changed('run-1');
    await new Promise((resolve) => setImmediate(resolve));
    expect(refreshed.map(({ replicas }) => replicas.length)).toEqual([2, 0]);
  });

  it('is not cached if it does not exist', async () => {
    const { jobs, reads, become } = routes();
    become(null);
    expect(await jobs()).toBeUndefined();
    expect(await jobs()).toBeUndefined();
    expect(reads()).toBe(2);
  });
});

describe('a caller that waits for a change', () => {
  it('is notified of the run’s own changes, or ends when it disconnects', async () => {
    const { subject } = routes();
    const disconnected = new AbortController();
    const changes: string[] = [];
    const first = subject
      .nextChange('run-1', 60_000, disconnected.signal)
      .then(() => changes.push('changed'));
    subject.changed('run-2');
    subject.changed('run-1');
    await first;
    const second = subject
      .nextChange('run-1', 60_000, disconnected.signal)
      .then(() => changes.push('gone'));
    disconnected.abort();
    await second;
    expect(changes).toEqual(['changed', 'gone']);
  });
});
