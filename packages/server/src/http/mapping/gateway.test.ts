import type { GatewayReplicaRecord } from '@dstack/core';
import type { GatewayView, ProjectRecord } from '@dstack/store';
import { expect, it } from 'vitest';
import { wireGateway } from './gateway.ts';

const replica = (status: GatewayReplicaRecord['status'], hostname: string) =>
  ({ status, hostname, instanceId: `on-${hostname}`, createdAt: 0 }) as GatewayReplicaRecord;

const shown = (...replicas: GatewayReplicaRecord[]) =>
  wireGateway(
    { gateway: { createdAt: 0 }, replicas, reports: [] } as unknown as GatewayView,
    {} as ProjectRecord,
  );

it('shows no address of replicas that end: another gateway may have it already', () => {
  const { replicas, ip_address, instance_id } = shown(
    replica('terminated', '192.0.2.1'),
    replica('terminating', '192.0.2.2'),
    replica('running', '192.0.2.3'),
  );
  expect(replicas.map(({ hostname }) => hostname)).toEqual([null, null, '192.0.2.3']);
  expect([ip_address, instance_id]).toEqual(['192.0.2.3', 'on-192.0.2.3']);
});

it('shows the machine of the last replica, and no address, while all of them end', () => {
  const { ip_address, instance_id } = shown(replica('terminating', '192.0.2.2'));
  expect([ip_address, instance_id]).toEqual([null, 'on-192.0.2.2']);
});
