import type { InstanceRecord } from '@dstack/core';
import type { SshHostRecord } from '@dstack/store';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { HostNotReady, SshFleets, type SshFleetsOptions } from './ssh-fleets.ts';

it('begins nothing more on a host once the server is being stopped', async () => {
  const login = { hostname: '127.0.0.1', port: 1, user: 'root', privateKey: '' };
  const record = { instanceId: 'i', login, proxy: null, hostKeys: {}, agentToken: 't' };
  const deleted: string[] = [];
  const fleets = new SshFleets({
    store: {
      sshHosts: {
        byId: async () => record as unknown as SshHostRecord,
        delete: async (ids: string[]) => void deleted.push(...ids),
      },
      hosts: { delete: async () => {} },
    },
    hosts: { hold: async () => {}, remove: async () => {} },
    serverId: 's',
    log: pino({ level: 'silent' }),
  } as unknown as SshFleetsOptions);
  fleets.close();
  const removal = fleets.remove({ id: 'i', name: 'rack-0' } as InstanceRecord);
  await expect(removal).rejects.toThrow(HostNotReady);
  expect(deleted).toEqual([]);
});
