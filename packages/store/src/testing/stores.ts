import { forEachDatabase } from '@dstack/testkit';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { openStore } from '../open-store.ts';
import type { OpenStoreOptions, Store } from '../store.ts';
import { ChangeGuard, changeTriggers } from './change-guard.ts';
import { rawSql } from './raw-sql.ts';
import { projectRecord, userRecord } from './records.ts';
import { storeOptions } from './store-options.ts';
import { versionGuard } from './version-guard.ts';

export interface StoreTests {
  readonly dialect: 'sqlite' | 'postgres';
  /** Opens it on a new database (or the given one); closed after the test. */
  open(options?: Partial<OpenStoreOptions>): Promise<Store>;
  createDatabase(): Promise<string>;
  createEmptyDatabase(): Promise<string>;
}

/** Declares the suite on SQLite and on PostgreSQL. */
export function forEachStore(suite: (tests: StoreTests) => void): void {
  const prepare = async (url: string) => {
    await (await openStore(storeOptions(url))).close();
    if (!url.startsWith('sqlite:')) return;
    for (const trigger of [...versionGuard(), ...changeTriggers()]) await rawSql(url, trigger);
  };
  forEachDatabase({ describe, beforeAll, afterAll }, prepare, (databases) => {
    const opened: Store[] = [];
    const guards = new Map<string, ChangeGuard>();
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
      const checked = [...guards.values()];
      guards.clear();
      for (const guard of checked) expect(guard.missing()).toEqual([]);
    });
    suite({
      dialect: databases.dialect,
      createDatabase: databases.create,
      createEmptyDatabase: databases.createEmpty,
      async open(options) {
        const url = options?.url ?? (await databases.create());
        const store = await openStore({ ...storeOptions(url), ...options, url });
        opened.push(store);
        if (databases.dialect === 'sqlite') {
          const guard = guards.get(url) ?? new ChangeGuard(url);
          guards.set(url, guard);
          guard.watch(store);
        }
        return store;
      },
    });
  });
}

export interface World {
  readonly store: Store;
  readonly url: string;
  readonly userId: string;
  readonly projectId: string;
}

/** A store with one user, who owns the project `main`. */
export async function openWorld(
  tests: StoreTests,
  options?: Partial<OpenStoreOptions>,
): Promise<World> {
  const url = options?.url ?? (await tests.createDatabase());
  const store = await tests.open({ ...options, url });
  const user = userRecord({ name: 'alice' });
  const project = projectRecord(user.id, { name: 'main' });
  await store.users.insert(user);
  await store.projects.insert(project);
  return { store, url, userId: user.id, projectId: project.id };
}
