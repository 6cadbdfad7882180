import type { Backend } from '@dstack/backends';
import { OUR_SERVER } from '@dstack/backends/testing';
import type { BackendType } from '@dstack/contract';
import { pino } from 'pino';
import type { TestServer } from '../../http/testing/test-server.ts';
import { Sweeper } from '../sweeper.ts';

export interface OrphanSweeperOptions {
  readonly backend: Backend;
  readonly type: BackendType;
  readonly serverId?: string;
  /** Microseconds since the epoch. */
  readonly clock: { readonly now: number };
}

/** A sweeper of an installation that has the backend and no record of anything in it. */
export async function orphanSweeper(
  { store }: TestServer,
  { backend, type, clock, serverId = OUR_SERVER }: OrphanSweeperOptions,
): Promise<Sweeper> {
  const project = await store.projects.byName('main');
  await store.backends.insert({
    ...{ id: type, projectId: project?.id ?? '', type, config: {}, sourceConfig: null },
    ...{ auth: {}, sourceAuth: null, createdAt: 0, updatedAt: 0 },
  });
  return new Sweeper({
    ...{ store, serverId, policy: 'terminate', owner: 'test' },
    log: pino({ level: 'silent' }),
    now: () => clock.now,
    backends: { of: async () => [backend] },
  });
}
