import type { InstanceRecord } from '@dstack/core';
import type { SshHostRecord } from '@dstack/store';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { HostNotReady, SshFleets, type SshFleetsOptions } from './ssh-fleets.ts';

/** Fleets with one host, whose sshd is not there. */
function fleetsWith(hosts: object, store: object = {}): SshFleets {
  const login = { hostname: '127.0.0.1', port: 1, user: 'root', privateKey: '' };
  const record = { instanceId: 'i', login, proxy: null, hostKeys: {}, agentToken: 't' };
  return new SshFleets({
    store: {
      sshHosts: { byId: async () => record as unknown as SshHostRecord, delete: async () => {} },
      fleets: { byId: async () => ({ fleet: { spec: { configuration: { env: {} } } } }) },
      hosts,
      ...store,
    },
    hosts: { hold: async () => {}, remove: async () => {} },
    programs: { warm: () => {} },
    now: () => 0,
    serverId: 's',
    log: pino({ level: 'silent' }),
  } as unknown as SshFleetsOptions);
}

const rack = (status: string) => ({ id: 'i', name: 'rack-0', status }) as InstanceRecord;

it('begins nothing more on a host once the server is being stopped', async () => {
  const deleted: string[] = [];
  const fleets = fleetsWith({ delete: async (ids: string[]) => void deleted.push(...ids) });
  fleets.close();
  await expect(fleets.remove(rack('terminated'))).rejects.toThrow(HostNotReady);
  expect(deleted).toEqual([]);
});

it('says last what came last, however long the database takes', async () => {
  const first = Promise.withResolvers<void>();
  const stored: string[] = [];
  let calls = 0;
  const fleets = fleetsWith({
    byId: async () => null,
    save: async ({ error }: { error: string }) => {
      if (++calls === 1) await first.promise;
      stored.push(error);
    },
  });
  const deployment = fleets.deploy(rack('pending'));
  // The first word is on its way when the host has been found to be out of reach.
  setTimeout(first.resolve, 200);
  await expect(deployment).rejects.toThrow(HostNotReady);
  await first.promise;
  expect(stored).toHaveLength(2);
  expect(stored[0]).toContain('Connecting to');
  fleets.close();
});
