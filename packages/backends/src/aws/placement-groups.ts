/** Placement groups: the machines of a cluster stand close to each other. They cost nothing. */
import { BackendError, PreparingError } from '../base/errors.ts';
import type { GroupOrder, GroupPort, ListedGroup } from '../base/group-port.ts';
import type { GroupHandle } from '../base/instance-port.ts';
import { digest, inRegionData, regionIn } from '../base/rest-vm/in-region.ts';
import { KEY_TAG, ownerIn } from '../base/rest-vm/names.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import type { Ec2 } from './ec2.ts';
import { awsCode } from './refusals.ts';
import { resourceTags } from './resources.ts';
import { tagSpecification } from './tags.ts';

export interface PlacementGroupsOptions {
  readonly regions: readonly string[];
  readonly of: (region: string) => Ec2;
  /** Tags of the configuration. */
  readonly tags: Readonly<Record<string, string>>;
}

/** The name of a group at EC2, where an account may have several servers. */
export function placementGroupName(server: string, name: string): string {
  return `${name}-${digest(server, name)}`;
}

/** Types that EC2 puts into no group. */
export function fitsPlacementGroup(type: string): boolean {
  return !/^t[23]\./.test(type);
}

export class PlacementGroups implements GroupPort {
  readonly #options: PlacementGroupsOptions;

  constructor(options: PlacementGroupsOptions) {
    this.#options = options;
  }

  async create(order: GroupOrder): Promise<GroupHandle> {
    const { key, name, kind, region, owner } = order;
    if (kind !== 'placement')
      throw new BackendError('AWS has no groups of machines ordered as one');
    const ec2 = this.#options.of(region);
    const own = placementGroupName(owner.server, name);
    const handle = { id: own, data: inRegionData(region) };
    if (await this.#isOurs(region, own, key)) return handle;
    const tags = resourceTags(owner, key, { Name: name }, this.#options.tags);
    try {
      await ec2.change('CreatePlacementGroup', {
        ...{ GroupName: own, Strategy: 'cluster' },
        TagSpecification: [tagSpecification('placement-group', tags)],
      });
    } catch (error) {
      if (awsCode(error) !== 'InvalidPlacementGroup.Duplicate') throw error;
      if (await this.#isOurs(region, own, key)) return handle;
      // The one before it is still being deleted, or was made by an order that ended.
      throw new PreparingError(`AWS: the placement group ${own} exists already`);
    }
    return handle;
  }

  async #isOurs(region: string, name: string, key: string): Promise<boolean> {
    const groups = await this.#options.of(region).placementGroups();
    return groups.some((group) => group.name === name && group.tags[KEY_TAG] === key);
  }

  async delete(handle: GroupHandle): Promise<'deleted' | 'in-use'> {
    try {
      const ec2 = this.#options.of(regionIn(handle));
      await ec2.change('DeletePlacementGroup', { GroupName: handle.id });
      return 'deleted';
    } catch (error) {
      if (error instanceof MissingThingError) return 'deleted';
      if (awsCode(error) === 'InvalidPlacementGroup.InUse') return 'in-use';
      throw error;
    }
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedGroup[]> {
    const lists = await Promise.all(
      this.#options.regions.map(async (region) => {
        const groups = await this.#options.of(region).placementGroups();
        return groups.map(({ name, tags }) => ({
          handle: { id: name, data: inRegionData(region) },
          ...{ owner: ownerIn(tags), key: tags[KEY_TAG] ?? null },
        }));
      }),
    );
    return lists.flat().filter(({ owner }) => owner.server === server);
  }
}
