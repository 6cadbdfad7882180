import { randomUUID } from 'node:crypto';
import type { TestServer } from '../../testing/test-server.ts';

/** Makes a gateway of the project `main` that runs, with one replica; `more` of its configuration. Returns its id. */
export async function runningGateway(
  { call, store }: Pick<TestServer, 'call' | 'store'>,
  name: string,
  more: object = {},
): Promise<string> {
  const configuration = {
    ...{ type: 'gateway', name, backend: 'aws', region: 'eu-west-1' },
    ...{ domain: '*.apps.test', certificate: null, ...more },
  };
  const { body } = await call('/api/project/main/gateways/create', { configuration });
  await store.engine.apply([
    { type: 'gateway.update', id: body.id, version: 0, set: { status: 'running' } },
  ]);
  await store.gateways.insertReplica({
    ...{ id: randomUUID(), gatewayId: body.id, replicaNum: 0, status: 'running' },
    ...{ statusMessage: null, backend: 'aws', region: 'eu-west-1', instanceId: 'i' },
    ...{ backendData: null, hostname: '192.0.2.1', sshPublicKey: '', sshPrivateKey: '' },
    ...{ scaleIn: false, attempt: 0, appUpdatedAt: null, createdAt: 0, lastProcessedAt: 0 },
    ...{ deleted: false, nextPassAt: null, version: 0 },
  });
  return body.id;
}
