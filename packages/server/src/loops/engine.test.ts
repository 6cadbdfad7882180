import type { Change } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { decisionContext } from '../assembly/decision-context.ts';
import { NO_HINTS } from '../http/testing/offers.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { compileSettings } from '../settings/settings.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { LogQuota } from './log-quota.ts';
import { RunChanges } from './run-changes.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

function engine(options: Partial<EngineOptions>): Engine {
  const { store, deps } = server;
  const context = decisionContext(compileSettings({ HOME: '/nowhere' }), store.cipher);
  return new Engine({
    store,
    changes: new RunChanges(),
    offers: { ...deps.offers, hints: async () => NO_HINTS },
    effect: async () => ({ ending: 'done' }),
    effectIsOurs: async () => true,
    measureTime: async () => {},
    backends: { find: async () => null },
    links: { follow: async () => {} },
    hosts: { isElsewhere: async () => false },
    // The clock of this process may have jumped in tests before this one.
    context: () => ({ ...context(), now: deps.context().now, unobserved: [] }),
    quota: new LogQuota(store, deps.log),
    log: deps.log,
    owner: 'test',
    ...options,
  });
}

/** The given time passes after each write that sets a run's alarm. */
const slowAlarms = (seconds: number): EngineOptions['observer'] => ({
  passEnded: () => {},
  applied: (written) => {
    const isSet = (one: Change) => one.type === 'run.update' && one.set.nextPassAt != null;
    if (written.some(isSet)) server.advance(seconds);
  },
});

describe('the loops', () => {
  it('continue at once with work that became due while its alarm was being set', async () => {
    const retry = { on_events: ['no-capacity'], duration: '2m' };
    const configuration = { type: 'task', name: 'late', commands: ['true'], retry };
    const fleet = { type: 'fleet', name: 'default', nodes: '0..1', resources: { gpu: 0 } };
    const path = '/api/project/main';
    await server.call(`${path}/fleets/apply`, {
      plan: { spec: { configuration: fleet, profile: {} } },
      force: false,
    });
    const applied = await server.call(`${path}/runs/apply`, {
      plan: { run_spec: { run_name: 'late', configuration } },
      force: false,
    });
    const changes = new RunChanges();
    const loops = engine({ changes, observer: slowAlarms(180) });
    await loops.start();
    try {
      await new Promise<void>((resolve) => {
        const look = () =>
          void server.call(`${path}/runs/get`, { run_name: 'late' }).then(({ body }) => {
            if (body.status === 'failed') resolve();
          });
        changes.watch(applied.body.id, look);
        // It may have failed already.
        look();
      });
    } finally {
      await loops.close();
    }
    const { body } = await server.call(`${path}/runs/get`, { run_name: 'late' });
    expect(body).toMatchObject({ status: 'failed', termination_reason: 'retry_limit_exceeded' });
  });

  it('take up unfinished effects as soon as the database answers', async () => {
    const { store } = server;
    let failures = 2;
    const unfinished = async () => {
      if (failures-- > 0) throw new Error('no answer');
      return [{ kind: 'intent', id: 'job.stop:lost:1' } as const];
    };
    const { promise, resolve } = Promise.withResolvers<string>();
    const loops = engine({
      store: { ...store, engine: { ...store.engine, unfinished } },
      effect: async (key) => {
        resolve(key);
        return { ending: 'done' };
      },
    });
    await loops.start();
    try {
      expect(await promise).toBe('job.stop:lost:1');
    } finally {
      await loops.close();
    }
  });

  it('count in each sweep what older servers have changed in members of arrays', async () => {
    const { store } = server;
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let sweep = Promise.withResolvers<void>();
    const countOverlooked = async () => sweep.resolve();
    const loops = engine({ store: { ...store, engine: { ...store.engine, countOverlooked } } });
    await loops.start();
    try {
      await sweep.promise;
      for (let minute = 0; minute < 2; minute++) {
        sweep = Promise.withResolvers();
        vi.advanceTimersByTime(60_000);
        await sweep.promise;
      }
    } finally {
      await loops.close();
    }
  });
});
