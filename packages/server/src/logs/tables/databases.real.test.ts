import { openStore, type Store } from '@dstack/store';
import { forEachDatabase } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeLogStore, type SuiteOptions } from '../log-store.suite.ts';
import { TableLogStore } from './table-log-store.ts';

const REF = { project: 'p', run: 'r', jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128' };

function open(url: string): Promise<Store> {
  return openStore({
    url,
    now: () => Date.now() * 1000,
    newId: () => crypto.randomUUID(),
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    cipher: { encrypt: (text) => text, decrypt: (text) => text },
  });
}

const PLAIN: SuiteOptions = { now: () => Date.now() * 1000, quotaPerHour: 0, onQuota: () => {} };

function logsOf(store: Store, options = PLAIN): TableLogStore {
  return new TableLogStore({
    ...store.logs,
    ...options,
    onSyncError: (_, error) => {
      throw error;
    },
  });
}

forEachDatabase(
  { describe, beforeAll, afterAll },
  async (url) => (await open(url)).close(),
  (databases) => {
    describeLogStore('table log store', async (options) => {
      const store = await open(await databases.create());
      const logs = () => logsOf(store, options);
      return { store: logs(), crash: async () => logs(), remove: () => store.close() };
    });

    if (databases.dialect === 'postgres')
      it('notifies readers on other servers', async () => {
        const url = await databases.create();
        const [a, b] = [await open(url), await open(url)];
        const [writer, reader] = [logsOf(a), logsOf(b)];
        const grown = new Promise<number>((resolve) => {
          reader.follow(REF, (news) => resolve(news.length));
        });
        await writer.append(REF, 0, 1, Buffer.from('hello\n'));
        await writer.sync([REF]);
        expect(await grown).toBe(6);
        await writer.close();
        await reader.close();
        await a.close();
        await b.close();
      });
  },
);
