import { describe, expect, test } from 'vitest';
import type { FleetSnapshot, GroupRecord } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { fleetRecord, groupRecord, T0 } from '../testing/records.ts';
import { requestPlacementGroup } from './request-group.ts';

const HERE = { backend: 'aws', region: 'us-east-1' } as const;

function asked(groups: readonly GroupRecord[], since = T0) {
  const fleet = fleetRecord({ name: 'A-Rather-Long-Name' });
  const snapshot: FleetSnapshot = {
    ...{ fleet, projectName: 'main', projectDeleted: false, instances: [], intents: [] },
    ...{ groups, activeRuns: 0, volumes: [] },
  };
  return requestPlacementGroup(snapshot, HERE, since, { now: T0, newId: () => '0123456789ab' });
}

describe('the placement group of a cluster', () => {
  test('is created with its order, under a name that providers accept', () => {
    const [group, order] = asked([])?.changes ?? [];
    expect(group).toMatchObject({
      type: 'group.insert',
      group: { name: 'main-a-rather-l-01234567', status: 'creating', ...HERE },
    });
    expect(order).toMatchObject({
      type: 'intent.insert',
      intent: { key: 'group.create:0123456789ab:0', payload: { offers: [] } },
    });
  });

  test.each([
    ['there is one', groupRecord()],
    ['one is being created', groupRecord({ status: 'creating' })],
    ['it was refused since the instance was ordered', groupRecord({ status: 'failed' })],
  ])('is not ordered when %s', (_why, group) => {
    expect(asked([group])).toBeNull();
  });

  test.each([
    ['the one there is being deleted', groupRecord({ status: 'deleting' })],
    ['the one there is of another region', groupRecord({ region: 'eu-1' })],
    ['the one there is of a gang', groupRecord({ kind: 'compute' })],
  ])('is ordered when %s', (_why, group) => {
    expect(asked([group])?.changes).toHaveLength(2);
  });

  test('is tried again for an instance that was ordered after it was refused', () => {
    expect(asked([groupRecord({ status: 'failed' })], T0 + SECOND)?.changes).toHaveLength(2);
  });
});
