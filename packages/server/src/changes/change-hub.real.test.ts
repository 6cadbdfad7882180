import { randomUUID } from 'node:crypto';
import type { ChangeMessage } from '@dstack/contract/wire';
import { recordEvent } from '@dstack/core';
import { runRecord } from '@dstack/core/testing';
import { openStore, type Store } from '@dstack/store';
import { forEachDatabase } from '@dstack/testkit';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadMessages } from '../http/streams/load-messages.ts';
import { ChangeHub } from './change-hub.ts';

const log = pino({ level: 'silent' });
const now = () => Date.now() * 1000;

function open(url: string): Promise<Store> {
  const cipher = { encrypt: (text: string) => text, decrypt: (text: string) => text };
  return openStore({ url, now, newId: randomUUID, logger: log, cipher });
}

/** A server with one stream. */
function listen(store: Store) {
  const load = (changes: Parameters<typeof loadMessages>[1]) =>
    loadMessages(store, changes, { now: now(), entry: null, origins: null });
  const hub = new ChangeHub({ changes: store.changes, load, log });
  let next = hub.ring.next;
  const waiting = new Set<() => void>();
  hub.listen({
    onMessages: () => {
      for (const wake of waiting) wake();
    },
    onProjects: () => {},
  });
  return {
    hub,
    /** The next message of this type; null: messages are missing. */
    async next(type: ChangeMessage['type']): Promise<ChangeMessage | null> {
      for (;;) {
        if (next < hub.ring.first) {
          next = hub.ring.first;
          return null;
        }
        const message = hub.ring.at(next);
        if (message === undefined) {
          const woken = Promise.withResolvers<void>();
          waiting.add(woken.resolve);
          await woken.promise;
          waiting.delete(woken.resolve);
          continue;
        }
        next += 1;
        if (message.type === type) return JSON.parse(message.data) as ChangeMessage;
      }
    },
  };
}

async function world(store: Store) {
  const userId = randomUUID();
  const projectId = randomUUID();
  const created = { createdAt: 1, sshPublicKey: 'ssh-rsa A', sshPrivateKey: 'B' };
  await store.users.insert({
    ...{ ...created, id: userId, name: 'ann', globalRole: 'user', email: null, active: true },
    token: randomUUID(),
  });
  await store.projects.insert({
    ...{ ...created, id: projectId, name: 'main', ownerId: userId, isPublic: false },
    templatesRepo: null,
  });
  const submit = async (name: string) => {
    const run = runRecord({ id: randomUUID(), projectId, userId, name });
    await store.engine.submitRun({
      ...{ projectId, name: { exact: name }, build: () => ({ run, jobs: [] }) },
      superseded: () => recordEvent({ action: 'run.deleted', targets: [] }),
    });
    return run;
  };
  return { submit };
}

forEachDatabase(
  { describe, beforeAll, afterAll },
  async (url) => (await open(url)).close(),
  (databases) => {
    const stores: Store[] = [];
    const opened = async (url: string) => {
      const store = await open(url);
      stores.push(store);
      return store;
    };
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
    });

    it('a commit becomes a message', async () => {
      const store = await opened(await databases.create());
      const { submit } = await world(store);
      const stream = listen(store);
      const run = await submit('train');
      expect(await stream.next('run')).toMatchObject({
        ...{ id: run.id, project: 'main', version: run.version },
        data: { run_spec: { run_name: 'train' } },
      });
      stream.hub.close();
    });

    it('drops changes under way once the last listener is removed', async () => {
      const store = await opened(await databases.create());
      const { submit } = await world(store);
      const { hub } = listen(store);
      const before = hub.ring.idBefore(hub.ring.next);
      await submit('train');
      hub.close();
      expect(hub.ring.numberAfter(before)).toBeNull();
    });

    if (databases.dialect === 'postgres') {
      it('a commit of one server becomes a message of the other', async () => {
        const url = await databases.create();
        const [store, other] = [await opened(url), await opened(url)];
        const { submit } = await world(store);
        const [here, there] = [listen(store), listen(other)];
        const run = await submit('train');
        expect(await there.next('run')).toEqual(await here.next('run'));
        const { id, version } = run;
        await other.engine.apply([{ type: 'run.update', id, version, set: { status: 'running' } }]);
        expect(await here.next('run')).toMatchObject({
          version: version + 1,
          data: { status: 'running' },
        });
        for (const { hub } of [here, there]) hub.close();
      });
    }
  },
);
