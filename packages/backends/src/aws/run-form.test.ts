import { expect, it } from 'vitest';
import { KEY_TAG } from '../base/rest-vm/names.ts';
import type { VmOrder } from '../base/rest-vm/vm-cloud.ts';
import { GATEWAY_KEY_TAG, runForm } from './run-form.ts';

const OWNER = { server: 's', project: 'main', fleet: '', instance: 'edge-0' };
const FOREIGN = { [KEY_TAG]: 'of-another', [GATEWAY_KEY_TAG]: 'of-another', team: 'ml' };

/** Tags of a machine whose user, or configuration, names the tags of keys. */
function keysIn(keyTag: string, tags: Readonly<Record<string, string>>): unknown {
  const order = {
    ...{ name: 'dstack-1', userData: '', owner: OWNER, tags: { ...FOREIGN, [KEY_TAG]: 'own' } },
    offer: {
      region: 'us-east-1',
      instance: { name: 't3.micro', resources: { disk: { size_mib: 1024 }, spot: false } },
    },
  } as unknown as VmOrder;
  const image = { id: 'ami-1', rootSize: 8, rootDevice: '/dev/sda1', user: 'ubuntu' };
  const parts = { image, subnet: 's', group: 'g', efa: 0, reservation: null } as never;
  const form = runForm(order, parts, { isPublic: true, profile: null, tags, keyTag });
  const [first] = form.TagSpecification as readonly { readonly Tag: readonly object[] }[];
  return first?.Tag;
}

it.each([
  [KEY_TAG, GATEWAY_KEY_TAG],
  [GATEWAY_KEY_TAG, KEY_TAG],
])('only an order decides that a machine has the tag %s and not %s', (own, other) => {
  const tags = keysIn(own, FOREIGN);
  expect(tags).toContainEqual({ Key: own, Value: 'own' });
  expect(tags).toContainEqual({ Key: 'team', Value: 'ml' });
  expect(tags).not.toContainEqual(expect.objectContaining({ Key: other }));
});
