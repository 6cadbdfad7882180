import { type Fields, listed } from './ec2-request.ts';
import { type Ec2Answer, ec2Answer, ec2Error, escaped } from './ec2-xml.ts';

interface Group {
  readonly name: string;
  readonly strategy: string;
  /** In XML. */
  readonly tags: string;
}

/** Placement groups, which moto lacks; one set per region. */
export class PlacementGroups {
  readonly #groups = new Map<string, Group>();

  has(region: string, name: string): boolean {
    return this.#groups.has(`${region} ${name}`);
  }

  /** Null: another action. `isUsed`: whether a machine is in the group. */
  answer(region: string, fields: Fields, isUsed: (name: string) => boolean): Ec2Answer | null {
    const { Action: action = '', GroupName: name = '' } = fields;
    const key = `${region} ${name}`;
    if (action.endsWith('PlacementGroup') && fields.DryRun === 'true') {
      return ec2Error(412, 'DryRunOperation', 'Request would have succeeded');
    }
    switch (action) {
      case 'CreatePlacementGroup':
        if (this.#groups.has(key)) {
          return ec2Error(400, 'InvalidPlacementGroup.Duplicate', `The group ${name} exists.`);
        }
        this.#groups.set(key, {
          ...{ name, strategy: fields.Strategy ?? 'cluster', tags: tagSetOf(fields) },
        });
        return ec2Answer(action, '<return>true</return>');
      case 'DeletePlacementGroup':
        if (!this.#groups.has(key)) return unknownGroup(name);
        if (isUsed(name)) {
          return ec2Error(400, 'InvalidPlacementGroup.InUse', `The group ${name} is in use.`);
        }
        this.#groups.delete(key);
        return ec2Answer(action, '<return>true</return>');
      case 'DescribePlacementGroups':
        return this.#describe(region, fields);
      default:
        return null;
    }
  }

  #describe(region: string, fields: Fields): Ec2Answer {
    const wanted = listed(fields, 'GroupName');
    const missing = wanted.find((name) => !this.has(region, name));
    if (missing !== undefined) return unknownGroup(missing);
    const items = [...this.#groups].flatMap(([key, { name, strategy, tags }]) => {
      const isListed =
        key.startsWith(`${region} `) && (wanted.length === 0 || wanted.includes(name));
      if (!isListed) return [];
      const state = '<state>available</state>';
      return [
        `<item><groupName>${name}</groupName><strategy>${strategy}</strategy>${state}${tags}</item>`,
      ];
    });
    const list = `<placementGroupSet>${items.join('')}</placementGroupSet>`;
    return ec2Answer('DescribePlacementGroups', list);
  }
}

function tagSetOf(fields: Fields): string {
  const path = 'TagSpecification.1.Tag';
  const items = listed(fields, path, 'Key').map((key, at) => {
    const value = fields[`${path}.${at + 1}.Value`] ?? '';
    return `<item><key>${escaped(key)}</key><value>${escaped(value)}</value></item>`;
  });
  return `<tagSet>${items.join('')}</tagSet>`;
}

export function unknownGroup(name: string): Ec2Answer {
  return ec2Error(400, 'InvalidPlacementGroup.Unknown', `The group ${name} is unknown.`);
}
