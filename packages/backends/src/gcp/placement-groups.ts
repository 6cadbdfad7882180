/** Placement groups: the machines of a cluster stand close to each other. They are resource policies. */
import { BackendError, PreparingError } from '../base/errors.ts';
import type { GroupOrder, GroupPort, ListedGroup } from '../base/group-port.ts';
import type { GroupHandle } from '../base/instance-port.ts';
import { digest, inRegionData, regionIn } from '../base/rest-vm/in-region.ts';
import { KEY_TAG, ownerIn, ownerTags } from '../base/rest-vm/names.ts';
import { MissingThingError, NotNowError, refusalCode } from '../base/rest-vm/refusals.ts';
import { lastSegment } from './compute.ts';
import { tagsInDescription } from './descriptions.ts';
import type { ResourcePolicies } from './resource-policies.ts';

/** Families of which Google puts no machines close to each other. */
const NEVER_CLOSE = /^(?:e2|n1|n4|m1)-/;
const PREFIX = 'dstack-group-';

/** The name of a group at Google, where a project may have several servers. */
export function placementGroupName(server: string, name: string): string {
  return `${PREFIX}${digest(server, name)}`;
}

export function fitsPlacementGroup(type: string): boolean {
  return !NEVER_CLOSE.test(type);
}

export class PlacementGroups implements GroupPort {
  readonly #policies: ResourcePolicies;

  constructor(policies: ResourcePolicies) {
    this.#policies = policies;
  }

  async create(order: GroupOrder): Promise<GroupHandle> {
    const { key, name, kind, region, owner } = order;
    if (kind !== 'placement') {
      throw new BackendError('GCP has no groups of machines ordered as one here');
    }
    const own = placementGroupName(owner.server, name);
    const handle = { id: own, data: inRegionData(region) };
    if (await this.#isOurs(region, own, key)) return handle;
    try {
      await this.#policies.insert(region, own, JSON.stringify(ownerTags(owner, key)));
    } catch (error) {
      if (refusalCode(error) !== 'alreadyExists') throw error;
      if (await this.#isOurs(region, own, key)) return handle;
      // The one before it is still being deleted, or was made by an order that ended.
      throw new PreparingError(`GCP: the resource policy ${own} exists already`);
    }
    return handle;
  }

  async #isOurs(region: string, name: string, key: string): Promise<boolean> {
    const { policies } = await this.#policies.timed(region);
    return policies.some(
      (one) => one.name === name && tagsInDescription(one.description)[KEY_TAG] === key,
    );
  }

  async delete(handle: GroupHandle): Promise<'deleted' | 'in-use'> {
    try {
      await this.#policies.delete(regionIn(handle), handle.id);
      return 'deleted';
    } catch (error) {
      if (error instanceof MissingThingError) return 'deleted';
      if (error instanceof NotNowError) return 'in-use';
      throw error;
    }
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedGroup[]> {
    const policies = await this.#policies.all();
    return policies
      .filter(({ name }) => name.startsWith(PREFIX))
      .map((policy) => {
        const tags = tagsInDescription(policy.description);
        return {
          handle: { id: policy.name, data: inRegionData(lastSegment(policy.region)) },
          ...{ owner: ownerIn(tags), key: tags[KEY_TAG] ?? null },
        };
      })
      .filter(({ owner }) => owner.server === server);
  }
}
